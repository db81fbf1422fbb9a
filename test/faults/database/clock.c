/* For LD_PRELOAD: a clock that is AHEAD seconds ahead. PostgreSQL takes the time of a commit from gettimeofday(). */
struct timeval {
  long seconds, microseconds;
};
struct timespec {
  long seconds, nanoseconds;
};

int clock_gettime(int clock, struct timespec *time);

int gettimeofday(struct timeval *time, void *zone) {
  struct timespec now;
  int failed = clock_gettime(0, &now);
  if (failed) return failed;
  time->seconds = now.seconds + AHEAD;
  time->microseconds = now.nanoseconds / 1000;
  return 0;
}
