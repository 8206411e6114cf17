/** Every way to say who one is, tried against a real server that wants it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/nats-core';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { connectToServer } from '../../src/fleet/connect.node.ts';
import { createDirectory } from '../../src/fleet/server.ts';
import { NatsServer, needsNatsServer } from '../support/natsServer.ts';
import { needs } from '../support/needs.ts';

const folder = mkdtempSync(join(tmpdir(), 'proxmo-fleet-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

/** Writes a file. @returns its path */
function file(name: string, text: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** What a connection with these variables comes to: `kept` once a bucket was made. */
async function tried(address: string, env: Readonly<Record<string, string>>): Promise<string> {
  vi.unstubAllEnvs();
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  try {
    const connection = await connectToServer(address, 'test');
    await createDirectory(connection).finally(() => connection.close());
    return 'kept';
  } catch (error) {
    return (error as Error).message;
  }
}

const refused = /it refuses these credentials/;

describe('a server that wants to know who one is', needsNatsServer, () => {
  it('takes a token', async () => {
    await using server = await NatsServer.start(['--auth', 'secret']);
    expect(await tried(server.address, { NATS_TOKEN: 'secret' })).toBe('kept');
    expect(await tried(server.address, { NATS_TOKEN: 'other' })).toMatch(refused);
    expect(await tried(server.address, {})).toMatch(refused);
  });

  it('takes a user and a password, from the environment and from the address', async () => {
    await using server = await NatsServer.start(['--user', 'ann', '--pass', 'a b@c']);
    expect(await tried(server.address, { NATS_USER: 'ann', NATS_PASSWORD: 'a b@c' })).toBe('kept');
    expect(await tried(server.address.replace('//', '//ann:a%20b%40c@'), {})).toBe('kept');
    const wrong = await tried(server.address, { NATS_USER: 'ann', NATS_PASSWORD: 'x' });
    expect(wrong).toMatch(refused);
    expect(wrong).not.toContain('ann');
  });

  it('takes an NKey', async () => {
    const [own, other] = [nkeys.createUser(), nkeys.createUser()];
    const settings = file('nkey.conf', `authorization: { users: [ { nkey: ${own.getPublicKey()} } ] }\n`);
    await using server = await NatsServer.start(['--config', settings]);
    const seed = (pair: typeof own, name: string) => file(name, `${new TextDecoder().decode(pair.getSeed())}\n`);
    expect(await tried(server.address, { NATS_NKEY: seed(own, 'own.nk') })).toBe('kept');
    expect(await tried(server.address, { NATS_NKEY: seed(other, 'other.nk') })).toMatch(refused);
    expect(await tried(server.address, { NATS_NKEY: join(folder, 'none.nk') })).toMatch(
      /NATS_NKEY names .*none\.nk, which cannot be read/,
    );
  });

  it('takes a creds file', async () => {
    const [operator, system, account, user] = [
      nkeys.createOperator(),
      nkeys.createAccount(),
      nkeys.createAccount(),
      nkeys.createUser(),
    ];
    const limits = { subs: -1, data: -1, payload: -1, conn: -1, leaf: -1, imports: -1, exports: -1, wildcards: true };
    const stored = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
    const accountToken = (pair: typeof account, more: object) =>
      token(operator, pair.getPublicKey(), { type: 'account', limits: { ...limits, ...more } });
    const settings = file(
      'operator.conf',
      [
        `operator: ${token(operator, operator.getPublicKey(), { type: 'operator' })}`,
        `system_account: ${system.getPublicKey()}`,
        'resolver: MEMORY',
        `resolver_preload: {`,
        `  ${system.getPublicKey()}: ${accountToken(system, {})}`,
        `  ${account.getPublicKey()}: ${accountToken(account, stored)}`,
        '}',
      ].join('\n'),
    );
    await using server = await NatsServer.start(['--config', settings]);
    const rights = { type: 'user', subs: -1, data: -1, payload: -1 };
    const creds = (issuer: typeof account, name: string) =>
      file(
        name,
        `-----BEGIN NATS USER JWT-----\n${token(issuer, user.getPublicKey(), rights)}\n------END NATS USER JWT------\n\n` +
          `-----BEGIN USER NKEY SEED-----\n${new TextDecoder().decode(user.getSeed())}\n------END USER NKEY SEED------\n`,
      );
    expect(await tried(server.address, { NATS_CREDS: creds(account, 'own.creds') })).toBe('kept');
    expect(await tried(server.address, { NATS_CREDS: creds(nkeys.createAccount(), 'other.creds') })).toMatch(refused);
  });

  it(
    'is known by its certificate, and asks for one',
    needs('openssl', spawnSync('openssl', ['version']).status === 0),
    async () => {
      const openssl = (...args: string[]) => {
        const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
        expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
      };
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
      openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ca');
      for (const name of ['server', 'client']) {
        const host = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost'];
        openssl(
          'req',
          '-x509',
          ...key,
          '-CA',
          'ca.pem',
          '-CAkey',
          'ca.key',
          '-keyout',
          `${name}.key`,
          '-out',
          `${name}.pem`,
          ...host,
        );
      }
      const settings = file(
        'tls.conf',
        `tls { cert_file: "${folder}/server.pem", key_file: "${folder}/server.key", ca_file: "${folder}/ca.pem", verify: true }\n`,
      );
      await using server = await NatsServer.start(['--config', settings]);
      const address = server.address.replace('nats://127.0.0.1', 'tls://localhost');
      const [ca, cert, own] = ['ca.pem', 'client.pem', 'client.key'].map((name) => join(folder, name));
      expect(await tried(address, { NATS_CA: ca!, NATS_CERT: cert!, NATS_KEY: own! })).toBe('kept');
      // Without its authority the server is not known, and without a certificate the client is not.
      expect(await tried(address, { NATS_CERT: cert!, NATS_KEY: own! })).toMatch(/No NATS server can be used at tls:/);
      expect(await tried(address, { NATS_CA: ca! })).toMatch(/No NATS server can be used at tls:/);
    },
  );
});

/** A JWT as NATS has them, signed with an NKey. */
function token(issuer: ReturnType<typeof nkeys.createUser>, subject: string, claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = { jti: subject, iat: 1_700_000_000, iss: issuer.getPublicKey(), sub: subject };
  const signed = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part({ ...body, nats: { ...claims, version: 2 } })}`;
  return `${signed}.${Buffer.from(issuer.sign(new TextEncoder().encode(signed))).toString('base64url')}`;
}
