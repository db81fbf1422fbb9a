import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import type { Hook } from '../../api/hooks.ts';
import { hide, hostOf, secretsOfUrl, tailOf } from '../../domain/hooks/describe.ts';
import type { Notice } from '../../domain/hooks/notice.ts';
import { failed, type HookOutcome, notBegun, succeeded } from './outcome.ts';

interface HttpCall {
  readonly http: NonNullable<Hook['http']>;
  /** Read from their Secrets. */
  readonly headers: Readonly<Record<string, string>>;
  /** PEM; else the authorities that Node.js trusts. */
  readonly ca: string | undefined;
  readonly notice: Notice;
  readonly timeoutSeconds: number;
  /** What is left of timeoutSeconds. */
  readonly milliseconds: number;
}

const connectTimeout = 10_000;
const keptBytes = 4096;
const mostRedirects = 3;

/** Sends the request of a hook; an answer of 2xx is success. Rejects with the signal's reason alone. */
export async function callHttp(call: HttpCall, signal: AbortSignal): Promise<HookOutcome> {
  const { http, headers, ca, timeoutSeconds, milliseconds } = call;
  const what = `${http.method} to ${hostOf(http.url)}`;
  if (!URL.canParse(http.url)) return failed('The URL cannot be read. Correct http.url.');
  const timeout = AbortSignal.timeout(milliseconds);
  const dispatcher = new Agent({
    connect: { timeout: connectTimeout, ...(ca === undefined ? {} : { ca }) },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const secrets = [
    ...secretsOfUrl(http.url),
    ...Object.values(headers).flatMap((value) => [value, ...value.split(' ')]),
  ];
  try {
    const answer = await send(call, dispatcher, AbortSignal.any([signal, timeout]));
    if (answer.status >= 200 && answer.status < 300) return succeeded;
    const said = hide(tailOf(answer.text), secrets);
    return failed(
      `${what} answered ${answer.status}${adviceOn(answer, http.url)}${said === '' ? '' : ` It said: ${said}`}`,
      answer.status >= 500 || answer.status === 408 || answer.status === 429,
    );
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted)
      return failed(
        `${what} was not answered within ${timeoutSeconds} s. Raise timeoutSeconds, or look at the server.`,
        true,
      );
    return failedToSend(what, error, secrets);
  } finally {
    // Its connections serve nobody else; what the server still sends is not waited for.
    void dispatcher.destroy().catch(() => undefined);
  }
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly text: string;
}

/** A redirect is followed on the same host alone: elsewhere the secrets of the request are nobody's business. */
async function send({ http, headers, notice }: HttpCall, dispatcher: Agent, signal: AbortSignal): Promise<Answer> {
  const body = http.method === 'POST' || http.method === 'PUT' ? JSON.stringify(notice) : undefined;
  let url = new URL(http.url);
  for (let redirects = 0; ; redirects += 1) {
    const {
      statusCode,
      headers: answered,
      body: answer,
    } = await request(withoutLogin(url), {
      method: http.method,
      dispatcher,
      signal,
      headers: {
        'user-agent': 'tidemark',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...loginOf(url),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    });
    const location = typeof answered.location === 'string' ? answered.location : undefined;
    const next = nextUrl(url, statusCode, location, body !== undefined);
    if (next === undefined || redirects >= mostRedirects)
      return { status: statusCode, location, text: statusCode < 300 ? '' : await beginning(answer) };
    url = next;
    answer.on('error', () => undefined).destroy();
  }
}

/** What was sent with a body is sent again only where the answer says that it is to be. */
function nextUrl(url: URL, status: number, location: string | undefined, hasBody: boolean): URL | undefined {
  const again = status === 307 || status === 308 || (!hasBody && [301, 302, 303].includes(status));
  if (!again || location === undefined || !URL.canParse(location, url.href)) return undefined;
  const next = new URL(location, url);
  return next.origin === url.origin ? next : undefined;
}

function loginOf({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === '' && password === '') return {};
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
}

function withoutLogin(url: URL): URL {
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  bare.hash = '';
  return bare;
}

/** So much of an answer as may be told; one that drips is cut where it has said nothing for a second. */
async function beginning(answer: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  const silence = setTimeout(() => answer.destroy(), 1000);
  try {
    for await (const chunk of answer) {
      silence.refresh();
      chunks.push(chunk);
      length += chunk.length;
      if (length >= keptBytes) break;
    }
  } catch {
    // What came is what can be told.
  } finally {
    clearTimeout(silence);
    answer.on('error', () => undefined).destroy();
  }
  return Buffer.concat(chunks).subarray(0, keptBytes).toString('utf8');
}

function adviceOn({ status, location }: Answer, url: string): string {
  if (status >= 300 && status < 400) {
    const host = location !== undefined && URL.canParse(location, url) ? new URL(location, url).host : 'elsewhere';
    return `, a redirect to ${host}, which is not followed: let http.url be where it leads.`;
  }
  if (status === 401 || status === 403) return ': it wants to know who asks. Look at http.headers and their Secrets.';
  if (status === 404 || status === 410) return ': there is nothing at that place of it. Correct http.url.';
  return '.';
}

const untrusted: ReadonlySet<string> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

/** There was no connection, and so nothing was sent. */
const unconnected: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function failedToSend(what: string, error: unknown, secrets: readonly string[]): HookOutcome {
  const { code = '', message = String(error) } = causeOf(error);
  if (untrusted.has(code))
    return failed(
      `${what}: the server's certificate is of an authority that is not known (${code}). Put that authority's certificate into a Secret, and name it in http.caSecretRef.`,
    );
  if (code.startsWith('CERT_') || code.startsWith('ERR_TLS_'))
    return failed(`${what}: the server's certificate is not good (${code}). Mend it, or correct the host in http.url.`);
  const words = hide(tailOf(message), secrets);
  if (code.startsWith('UND_ERR_INVALID') || code === 'UND_ERR_NOT_SUPPORTED' || code === 'ERR_INVALID_CHAR')
    return failed(`${what} cannot be sent: ${words}. Look at http.headers.`);
  const told = `${what} could not be sent: ${words}.`;
  return unconnected.has(code) ? notBegun(told) : failed(told, true);
}

/** Several addresses may have been tried: the first that says why. */
function causeOf(error: unknown): { readonly code?: string; readonly message?: string } {
  if (error instanceof AggregateError) return causeOf(error.errors[0]);
  return error instanceof Error
    ? { code: String((error as NodeJS.ErrnoException).code ?? ''), message: error.message }
    : {};
}
