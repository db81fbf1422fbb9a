import { Failure } from '../domain/failure.ts';
import { ApiError, ApiUnreachable, isForbidden, isInvalid, isNotFound } from '../kube/api-error.ts';
import { type ExitCode, exitCode, Stop } from './exit-code.ts';
import { printable } from './terminal.ts';

/** What a person is told of an error, and the code that a script gets. */
export function explain(error: unknown, signal: AbortSignal): { readonly message: string; readonly code: ExitCode } {
  const { message, code } = explained(error, signal);
  return { message: printable(message), code };
}

function explained(error: unknown, signal: AbortSignal): { readonly message: string; readonly code: ExitCode } {
  if (error instanceof Stop) return error;
  if (signal.aborted || isClosedPrompt(error))
    return { message: 'Interrupted; nothing more was done.', code: exitCode.interrupted };
  if (error instanceof ApiUnreachable) return { message: error.message, code: exitCode.unreachable };
  if (error instanceof ApiError) return { message: ofRefusal(error), code: exitCode.refused };
  if (error instanceof Failure) return { message: error.message, code: exitCode.usage };
  return { message: error instanceof Error ? error.message : String(error), code: exitCode.failed };
}

function ofRefusal(error: ApiError): string {
  const words = error.message.replace(/^[A-Z]+ \/\S*: /, '');
  if (error.status === 401) return 'The API server does not know you: log in again, or choose another --context.';
  if (isForbidden(error)) return `You lack a right, or the cluster forbids it: ${words}`;
  if (isNotFound(error) && /could not find the requested resource|page not found/.test(words))
    return 'Tidemark is not installed in this cluster, or in a version without this kind: see docs/install.md.';
  if (!isInvalid(error)) return `The API server refused it: ${words}`;
  const causes = (error.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  return `The API server does not take the object: ${causes.length === 0 ? words : causes.join('; ')}`;
}

/** Ctrl-C at a question. */
function isClosedPrompt(error: unknown): boolean {
  return error instanceof Error && ['ExitPromptError', 'AbortPromptError'].includes(error.name);
}
