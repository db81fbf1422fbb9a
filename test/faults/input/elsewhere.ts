const server = 'rows of a query to the server itself, by column; a text in them is read by parsers that are fuzzed';
const cluster = 'objects of the API server, read field by field; it has checked them against the schemas';
const composed = 'asks a store or a folder, and gives what it has read to parsers that are fuzzed';

/** Functions that list.test.ts takes for parsers, and that fuzz.test.ts does not call. */
export const elsewhere: Readonly<Record<string, string>> = {
  // With files, programs or servers.
  readArchive: 'files.test.ts',
  readScript: 'files.test.ts',
  readMarker: 'files.test.ts',
  readControlFile: 'reads the file that parseControlFile takes',
  readServiceAccount: 'files.test.ts',
  readAzureAccess: 'files.test.ts',
  readStandbyCredentials: 'files.test.ts',
  readAccess: 'files.test.ts',
  readSecret: 'files.test.ts',
  s3Failure: 'answers.test.ts',
  gcsFailure: 'answers.test.ts',
  azureFailure: 'answers.test.ts',
  readResource: 'answers.test.ts',
  findFailure: 'answers.test.ts',
  readCopies: 'the events of the pg package; what is in them, splitCopy and decodeBackup read',
  readMountPoints: '/proc/self/mountinfo, which the kernel writes',
  readFile: 'gives bytes and reads nothing in them',
  readSmallFile: 'gives bytes and reads nothing in them',
  volumeFailure: "error codes of the kernel's",
  // Of the server.
  readIncrementFacts: server,
  readServerSettings: server,
  readExtensions: server,
  readPresentSizes: server,
  readTargetCatalog: server,
  readTargetServer: server,
  readReplicaTriggers: server,
  readTriggerStates: server,
  readSettings: server,
  readPosition: server,
  readArchiver: server,
  readSlot: server,
  readSourceFacts: server,
  explainFailure: server,
  explainReplication: 'gives an error of the pg package to recognize, which is fuzzed',
  // Of the cluster.
  readServer: cluster,
  readClaims: cluster,
  readWorkload: cluster,
  readTogether: cluster,
  readLease: cluster,
  explain: "an error of the client's, for a terminal",
  // Of stores and folders.
  readRepository: composed,
  readCandidates: composed,
  readCatalogue: composed,
  readBackups: composed,
  readParents: composed,
  readEnd: composed,
  readGlobals: composed,
  readMountedList: composed,
  readTimelineFiles: composed,
  // Of what has been read.
  readChoice: 'patterns, which parseRelationPattern and parseNamePattern read, over the entries of an archive',
  explainUnreachable: 'words about a history that has been read',
  factsAtFailure: 'facts of the agent itself',
};
