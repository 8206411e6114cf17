/**
 * Connections to NATS servers from Node. Credentials come from the environment, by the names that the `nats` command
 * has, so that none stands in a list of processes; a URL may have a user and a password too.
 */
import { readFile } from 'node:fs/promises';
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { errorMessage, ProxmoError } from '../base/errors.ts';
import { systemReason } from '../base/systemErrors.node.ts';

const schemes = ['nats:', 'tls:'];
/** Milliseconds between tries to reach a server that went away. */
const reconnectMs = 500;

/**
 * @param address as `nats://HOST:4222`; several, with commas between them, are servers of one cluster
 * @param name of this program, for the server's own lists
 * @throws {ProxmoError} `usage` if the address is none; `fleet` if no server answers there, or it wants other
 * credentials; `file` if one of the files with credentials cannot be read
 */
export async function connectToServer(address: string, name: string): Promise<NatsConnection> {
  const servers = address.split(',').map(parsedAddress);
  const [first] = servers;
  const env = process.env;
  try {
    return await connect({
      name,
      servers: servers.map(({ host }) => host),
      ...(await authenticatorOf(first!, env)),
      ...tlsOf(servers, env),
      maxReconnectAttempts: -1,
      reconnectTimeWait: reconnectMs,
    });
  } catch (cause) {
    if (cause instanceof ProxmoError) throw cause;
    throw new ProxmoError(
      'fleet',
      `No NATS server can be used at ${servers.map(({ shown }) => shown).join(', ')}: ${whyNot(cause)}.`,
      {
        cause,
      },
    );
  }
}

function whyNot(cause: unknown): string {
  const text = errorMessage(cause);
  if (/authorization|authentication/i.test(text))
    return `it refuses these credentials (${text}); set NATS_USER and NATS_PASSWORD, NATS_TOKEN, NATS_NKEY or NATS_CREDS`;
  return `${text || 'it does not answer'}; start one there, as nats-server --jetstream --store_dir DIR (Debian: apt-get install nats-server)`;
}

interface ServerAddress {
  /** With its port. */
  readonly host: string;
  /** Without credentials. */
  readonly shown: string;
  readonly isTls: boolean;
  readonly user: string;
  readonly password: string;
}

/** @throws {ProxmoError} `usage` */
function parsedAddress(text: string): ServerAddress {
  const whole = text.includes('://') ? text : `nats://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : null;
  if (!url || !schemes.includes(url.protocol) || url.hostname === '')
    throw new ProxmoError('usage', `${text} is no address of a NATS server; write it as nats://HOST:4222.`);
  const host = `${url.hostname}:${url.port || '4222'}`;
  return {
    host,
    shown: `${url.protocol}//${host}`,
    isTls: url.protocol === 'tls:',
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

async function authenticatorOf(
  { user, password }: ServerAddress,
  env: NodeJS.ProcessEnv,
): Promise<{ authenticator?: Authenticator }> {
  const { NATS_TOKEN: token, NATS_NKEY: nkey, NATS_CREDS: creds } = env;
  if (creds) return { authenticator: credsAuthenticator(await textOf('NATS_CREDS', creds)) };
  if (nkey) {
    const seed = (await textOf('NATS_NKEY', nkey)).toString().trim();
    return { authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)) };
  }
  if (token) return { authenticator: tokenAuthenticator(token) };
  const name = user || env.NATS_USER;
  if (!name) return {};
  return { authenticator: usernamePasswordAuthenticator(name, password || env.NATS_PASSWORD) };
}

function tlsOf(servers: readonly ServerAddress[], { NATS_CA, NATS_CERT, NATS_KEY }: NodeJS.ProcessEnv) {
  const files = {
    ...(NATS_CA ? { caFile: NATS_CA } : {}),
    ...(NATS_CERT ? { certFile: NATS_CERT } : {}),
    ...(NATS_KEY ? { keyFile: NATS_KEY } : {}),
  };
  return servers.some(({ isTls }) => isTls) || Object.keys(files).length > 0 ? { tls: files } : {};
}

async function textOf(variable: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new ProxmoError('file', `${variable} names ${path}, which cannot be read: ${systemReason(cause)}.`, {
      cause,
    });
  }
}
