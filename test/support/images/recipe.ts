/** The images that the tests and the demo run. */
export type ImageName = 'operator' | 'agent' | 'postgres-13' | 'postgres-15' | 'postgres-17' | 'postgres-18' | 's3';

/** Debian's release for each PostgreSQL major that the product supports. */
export const suites = { '13': 'bullseye', '15': 'bookworm', '17': 'trixie', '18': 'sid' } as const;
export type Major = keyof typeof suites;
export type Suite = (typeof suites)[Major];

export const majors: readonly Major[] = ['13', '15', '17', '18'];

/** How an image is made, whatever makes it. Paths are relative to the project's root. */
export type Recipe = AppRecipe | PostgresRecipe | S3Recipe;

interface RecipeBase {
  readonly containerfile: string;
  readonly context: string;
  /** Files and folders whose content decides the image's tag. */
  readonly inputs: readonly string[];
  readonly args: Readonly<Record<string, string>>;
}

export interface AppRecipe extends RecipeBase {
  readonly kind: 'app';
  /** What is below Node and the source, and changes seldom: these inputs decide it. */
  readonly toolInputs: readonly string[];
  readonly majors: readonly Major[];
}

export interface PostgresRecipe extends RecipeBase {
  readonly kind: 'postgres';
  readonly suite: Suite;
}

export interface S3Recipe extends RecipeBase {
  readonly kind: 's3';
}

export function recipeOf(name: ImageName): Recipe {
  switch (name) {
    case 'operator':
      return appRecipe(name, []);
    case 'agent':
      return appRecipe(name, agentMajors());
    case 's3':
      return {
        kind: 's3',
        containerfile: 'images/s3/Containerfile',
        context: 'images/s3',
        inputs: ['images/s3', 'test/support/cluster/tools.ts'],
        args: {},
      };
    case 'postgres-13':
      return postgresRecipe('13');
    case 'postgres-15':
      return postgresRecipe('15');
    case 'postgres-17':
      return postgresRecipe('17');
    case 'postgres-18':
      return postgresRecipe('18');
  }
}

function appRecipe(name: 'operator' | 'agent', wanted: readonly Major[]): AppRecipe {
  const containerfile = `images/${name}/Containerfile`;
  const toolInputs = [`images/${name}`, 'images/rootfs.sh', 'images/libraries.sh', 'images/packages.sh'];
  return {
    kind: 'app',
    containerfile,
    context: '.',
    toolInputs,
    inputs: [...toolInputs, 'images/licences.sh', 'package.json', 'package-lock.json', 'tsconfig.json', 'src'],
    args: name === 'agent' ? { PG_MAJORS: wanted.join(' ') } : {},
    majors: wanted,
  };
}

function postgresRecipe(major: Major): PostgresRecipe {
  const suite = suites[major];
  return {
    kind: 'postgres',
    containerfile: 'images/postgres/Containerfile',
    context: 'images/postgres',
    inputs: ['images/postgres'],
    args: { PG_MAJOR: major, BASE: `debian:${suite}-slim` },
    suite,
  };
}

/** TIDEMARK_PG_MAJORS ("17", "15 17") makes a smaller agent in less time; without it, the agent as it is released. */
function agentMajors(): readonly Major[] {
  const asked = process.env.TIDEMARK_PG_MAJORS?.split(/[\s,]+/).filter(Boolean);
  if (asked === undefined || asked.length === 0) return majors;
  const unknown = asked.filter((major) => !Object.hasOwn(suites, major));
  if (unknown.length > 0)
    throw new Error(`TIDEMARK_PG_MAJORS names ${unknown.join(', ')}; there are ${majors.join(', ')}.`);
  return majors.filter((major) => asked.includes(major));
}
