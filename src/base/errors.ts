/** The typed errors of the library. Library code throws them; only the command line prints and exits. */

/** What went wrong, for code that wants to react to it. */
export type ErrorCode =
  | 'no-device' // no WebGPU adapter or device could be had
  | 'device-lost' // the device went away while in use
  | 'out-of-memory' // the device has no memory for a buffer
  | 'gpu-error' // validation or internal error reported by the device
  | 'destroyed' // a device, program or variable was used after its end
  | 'graph' // tensors that cannot be differentiated, or steps that cannot be run, as asked
  | 'shape' // shapes or sizes that do not fit together
  | 'config' // a configuration value or key that is not valid
  | 'data' // input rows or text that are not valid
  | 'non-finite' // NaN or infinities where numbers should be, from which nothing can be learned
  | 'file' // a file or folder that is missing, truncated or not what it should be
  | 'network' // something that cannot be had over the network
  | 'fleet' // a coordinator, worker or server of a fleet that is not as it should be
  | 'parse' // text in a formal language (PDDL, grammar, …) that does not parse
  | 'environment' // an environment broke its contract
  | 'untrusted' // a run or a configuration would start something that this user did not agree to
  | 'study' // runs of a study did not come to their end
  | 'usage' // the command line was called wrongly
  | 'interrupted'; // the user asked to stop

/**
 * An error that a user can act on. Its message is one sentence: what, where, what to do.
 *
 * @example throw new ProxmoError('shape', `matmul: inner sizes differ (${k1} and ${k2}); transpose one operand.`)
 */
export class ProxmoError extends Error {
  override readonly name = 'ProxmoError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The message of whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What stands behind `fetch failed`, as `ECONNREFUSED`. */
export function fetchProblem(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: string; readonly message?: string } };
  return cause?.code || cause?.message || errorMessage(error);
}
