/** The fields of the status that the operator writes. */
export const ownedStatus = [
  'observedGeneration',
  'conditions',
  'server',
  'nextScheduleTime',
  'lastSuccessfulRun',
  'lastFailedRun',
  'restorable',
  'verification',
  'drills',
] as const;
