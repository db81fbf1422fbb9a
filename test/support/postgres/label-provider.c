/*
 * A provider of security labels named "dummy" that takes every label, as src/test/modules/dummy_seclabel of PostgreSQL,
 * which no Debian package has. Without PostgreSQL's headers (they come with a compiler of 500 MB), so that this module's
 * magic is spelled out: that of PostgreSQL 15 on 64 bits (src/include/fmgr.h, Pg_magic_struct).
 */
struct {
  int length, version, most_arguments, most_index_keys, name_length, float8_by_value;
  char abi[32];
} magic = {sizeof magic, 1500, 100, 32, 64, 1, "PostgreSQL"};

const void *Pg_magic_func(void) { return &magic; }

void register_label_provider(const char *name, void (*check)(const void *object, const char *label));

static void take(const void *object, const char *label) {}

void _PG_init(void) { register_label_provider("dummy", take); }
