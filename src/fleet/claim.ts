/**
 * One coordinator a run: who has claimed it renews the claim, and a claim that is not renewed runs out. Two that claim
 * one run at the same time are told apart by the server, which keeps a key once.
 */
import type { KV } from '@nats-io/kv';
import { ProxmoError } from '../base/errors.ts';
import { pause } from './pause.ts';
import { type Claim, checkedMessage, claimSchema, presenceSeconds } from './protocol.ts';

/** Seconds between renewals. */
export const renewalSeconds = 2;

export class RunClaim {
  private revision = 0;

  /** @param key of the run's coordinator */
  constructor(
    private readonly present: () => KV,
    private readonly key: string,
    private readonly run: string,
    private claim: Claim,
  ) {}

  /**
   * Waits for what may be left of a coordinator that died.
   * @param onWait called once if there is something to wait for
   * @throws {ProxmoError} `fleet` if another one lives
   * @throws {Error} if the server goes away
   */
  async take(onWait: () => void): Promise<void> {
    const first = await this.holder();
    if (first) onWait();
    for (const until = Date.now() + 1000 * (presenceSeconds + renewalSeconds); ; ) {
      const held = await this.holder();
      // The server may have kept what this process was not told of.
      if (held?.claim.session === this.claim.session) {
        this.revision = held.revision;
        return;
      }
      if (!held && (await this.create())) return;
      const isRenewed = held && first && held.revision !== first.revision;
      if (isRenewed || (held && Date.now() > until)) throw this.taken(held.claim);
      if (Date.now() > until) throw this.notTaken();
      await pause(500);
    }
  }

  /**
   * Renews it, also where the server has lost it.
   * @throws {ProxmoError} `fleet` if another one has it
   */
  async renew(at: string): Promise<void> {
    this.claim = { ...this.claim, at };
    try {
      this.revision = await this.present().update(this.key, this.text, this.revision);
    } catch (cause) {
      const held = await this.holder();
      if (held?.claim.session === this.claim.session) this.revision = held.revision;
      else if (held) throw this.taken(held.claim, cause);
      else if (!(await this.create())) await this.checkFree(cause);
    }
  }

  /** A claim that cannot be made is another's, or the server takes nothing for the moment, as with a full disk. */
  private async checkFree(cause: unknown): Promise<void> {
    const held = await this.holder();
    if (held) throw this.taken(held.claim, cause);
  }

  async release(): Promise<void> {
    await this.present().delete(this.key, { previousSeq: this.revision });
  }

  private async create(): Promise<boolean> {
    try {
      this.revision = await this.present().create(this.key, this.text);
      return true;
    } catch {
      return false;
    }
  }

  private async holder(): Promise<{ readonly claim: Claim; readonly revision: number } | null> {
    const entry = await this.present().get(this.key);
    if (entry?.operation !== 'PUT') return null;
    return { claim: checkedMessage(claimSchema, entry.json(), `The claim of ${this.run}`), revision: entry.revision };
  }

  private get text(): string {
    return JSON.stringify(this.claim);
  }

  private notTaken(): ProxmoError {
    return new ProxmoError(
      'fleet',
      `The NATS server does not keep that this process coordinates the run ${this.run}; see whether its disk is full.`,
    );
  }

  private taken({ pid, host, started }: Claim, cause?: unknown): ProxmoError {
    return new ProxmoError(
      'fleet',
      `The run ${this.run} is coordinated by process ${pid} on ${host}, since ${started}; a run has one coordinator. Stop that one, or give this run another name (--fleet-run).`,
      { cause },
    );
  }
}
