/**
 * What a model on the Hugging Face Hub consists of, by the hub's own client. Everything that comes from there is
 * checked before it is used: names of files become paths, and hashes names of files.
 */
import * as z from 'zod';
import { ProxmoError } from '../../base/errors.ts';
import { commitPattern } from './cache.node.ts';
import { type HubFile, type HubName, isPlainPath } from './names.ts';

export interface HubListing {
  readonly commit: string;
  readonly files: readonly HubFile[];
}

/** Where and as whom the hub is asked. */
export interface HubAccess {
  /** Address of the hub, without a slash at its end. */
  readonly endpoint: string;
  /** Who asks; undefined for nobody in particular. Never printed. */
  readonly token: string | undefined;
}

/**
 * Access as the hub's programs take it from the environment.
 * @throws {ProxmoError} `network` if the environment forbids it, `config` if the address or the token cannot be one
 */
export function hubAccess(env: NodeJS.ProcessEnv = process.env): HubAccess {
  if (/^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? ''))
    throw new ProxmoError('network', 'HF_HUB_OFFLINE forbids to ask the hub; unset it to fetch models.');
  const endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint))
    throw new ProxmoError('config', 'HF_ENDPOINT is not an address; give it as https://HOST, or unset it.');
  const token = (env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN)?.trim() || undefined;
  if (token !== undefined && !/^hf_[\x21-\x7e]+$/.test(token))
    throw new ProxmoError('config', 'HF_TOKEN is not a token of the hub, which begins with hf_; mend or unset it.');
  return { endpoint, token };
}

/** Longest wait for an answer, in milliseconds. */
const answerMs = 60_000;
/** A model has some dozens of files. */
const mostFiles = 20_000;

const entrySchema = z.object({
  type: z.string(),
  path: z.string(),
  size: z.int().min(0),
  oid: z.string().optional(),
  lfs: z.object({ oid: z.string(), size: z.int().min(0) }).optional(),
});

/**
 * Files of a model at a revision.
 * @throws {ProxmoError} `network` if the hub cannot be reached, has no such model, or answers what cannot be right
 */
export async function listHub(name: HubName, { endpoint, token }: HubAccess): Promise<HubListing> {
  const { id, revision } = name;
  const { HubApiError, listFiles, modelInfo } = await import('@huggingface/hub');
  const access = {
    hubUrl: endpoint,
    fetch: fetchFrom(endpoint),
    ...(token === undefined ? {} : { accessToken: token }),
  };
  try {
    const { sha } = await modelInfo({ name: id, revision, additionalFields: ['sha'], ...access });
    if (!commitPattern.test(String(sha))) throw strange(id, endpoint, 'a commit that is none');
    const files: HubFile[] = [];
    for await (const entry of listFiles({ repo: id, revision: sha, recursive: true, ...access })) {
      const file = readEntry(entry, id, endpoint);
      if (file) files.push(file);
      if (files.length > mostFiles) throw strange(id, endpoint, `more than ${mostFiles} files`);
    }
    return { commit: sha, files };
  } catch (error) {
    if (error instanceof ProxmoError) throw error;
    const status = error instanceof HubApiError ? error.statusCode : null;
    throw new ProxmoError('network', problemOf(name, { endpoint, token }, status, error), { cause: error });
  }
}

/** Asks one host alone, so that no answer can lead a token elsewhere. */
function fetchFrom(endpoint: string): typeof fetch {
  const { origin } = new URL(endpoint);
  return (request, init) => {
    const url = new URL(request instanceof Request ? request.url : request);
    if (url.origin !== origin)
      throw new ProxmoError('network', `${endpoint} sends on to ${url.origin}; try again later.`);
    return fetch(url, { ...init, signal: AbortSignal.timeout(answerMs) });
  };
}

/** A file of the listing; null for a folder. */
function readEntry(entry: unknown, id: string, endpoint: string): HubFile | null {
  const { success, data } = entrySchema.safeParse(entry);
  if (!success) throw strange(id, endpoint, 'a file without name, size or hash');
  if (data.type !== 'file') return null;
  const { path, oid, lfs, size } = data;
  if (!isPlainPath(path)) throw strange(id, endpoint, `the name ${JSON.stringify(path)}, which leads elsewhere`);
  const isHash = (lfs ? /^[0-9a-f]{64}$/ : commitPattern).test(lfs?.oid ?? oid ?? '');
  if (!isHash) throw strange(id, endpoint, `no hash of ${path}`);
  return { path, bytes: lfs?.size ?? size, sha256: lfs?.oid ?? null, gitSha1: oid ?? '' };
}

function strange(id: string, endpoint: string, what: string): ProxmoError {
  return new ProxmoError('network', `${endpoint} lists ${what} for ${id}, so nothing is fetched; use another model.`);
}

function problemOf(
  { id, revision }: HubName,
  { endpoint, token }: HubAccess,
  status: number | null,
  error: unknown,
): string {
  const credentials = token === undefined ? 'set HF_TOKEN if it is private' : 'the token in HF_TOKEN may not see it';
  if (status === 401 || status === 404)
    return `${endpoint} has no model ${id} at ${revision}, or does not show it; check the name, or ${credentials}.`;
  if (status === 403)
    return `${endpoint} does not give ${id} to everybody; accept its terms at ${endpoint}/${id}, and set HF_TOKEN.`;
  if (status !== null) return `${endpoint} answers with status ${status} for ${id}; try again later.`;
  const { cause, name } = error as { readonly cause?: { readonly code?: string }; readonly name?: string };
  const reason = name === 'TimeoutError' ? 'it is silent' : (cause?.code ?? 'its answer cannot be read');
  return `${endpoint} cannot be reached (${reason}); check the network, or name a mirror in HF_ENDPOINT.`;
}
