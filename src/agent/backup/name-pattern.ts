import { terminal } from '../../domain/failure.ts';

export interface NamePattern {
  readonly matches: (name: string) => boolean;
  /** The one name it can mean; undefined where it has a wildcard. */
  readonly literal: string | undefined;
}

/**
 * A pattern as psql and the tools read it (psql, "Patterns"): letters mean lower case, `*` any text, `?` any character,
 * other regular-expression characters what they mean there, and everything between double quotes itself. A database's name
 * has no schema before it, so that a dot is a dot.
 */
export function parseNamePattern(pattern: string): NamePattern {
  let expression = '';
  let name = '';
  let wild = false;
  let quoted = false;
  let inBrackets = false;
  const characters = [...pattern];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (character === '"') {
      if (!(quoted && characters[index + 1] === '"')) {
        quoted = !quoted;
        continue;
      }
      index += 1;
    }
    const plain = quoted ? character : lowerCase(character);
    const isSpecial = !quoted && hasMeaning(character, characters[index + 1], inBrackets);
    if (isSpecial && (character === '[' || character === ']')) inBrackets = character === '[';
    wild ||= isSpecial;
    name += plain;
    expression += isSpecial ? (wildcards[character] ?? character) : quoteCharacter(plain);
  }
  const compiled = compile(pattern, expression);
  return { matches: (candidate) => compiled.test(candidate), literal: wild ? undefined : name };
}

/** `[]` is rather an array's name than an expression, and a bracket that closes nothing is itself. */
function hasMeaning(character: string, next: string | undefined, inBrackets: boolean): boolean {
  if (character === '[') return next !== ']';
  if (character === ']') return inBrackets;
  return special.has(character);
}

const special = new Set('*?|+(){}^\\');
const wildcards: Readonly<Record<string, string>> = { '*': '.*', '?': '.' };

/** As PostgreSQL folds what is not quoted: ASCII letters. */
function lowerCase(character: string): string {
  return /[A-Z]/.test(character) ? character.toLowerCase() : character;
}

function quoteCharacter(character: string): string {
  return /[|*+?()[\]{}.^$\\/]/.test(character) ? `\\${character}` : character;
}

function compile(pattern: string, expression: string): RegExp {
  try {
    return new RegExp(`^(?:${expression})$`, 'su');
  } catch (cause) {
    throw terminal(
      'InvalidPattern',
      `The pattern ${pattern} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}. Put a name with special characters between double quotes, as psql wants it.`,
      cause,
    );
  }
}
