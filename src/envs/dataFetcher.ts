/** Getting the data of an environment from where their authors publish them. */

export interface FetchRequest {
  /** Address of a mirror, or path of the archive, if it was downloaded by other means. Default the authors' address. */
  readonly from?: string;
  /** Folder to put the data in. Default the one where the environment looks for them by itself. */
  readonly to?: string;
  /** SHA-256 that an archive of other data has, in hexadecimal. Default that of the authors' release. */
  readonly sha256?: string;
  /** Replace data that are there. Default false. */
  readonly force?: boolean;
  /** Gets every step. Runs often. */
  readonly onProgress?: (progress: FetchProgress) => void;
}

export interface FetchProgress {
  readonly phase: 'downloading' | 'unpacking';
  /** Bytes when downloading, files when unpacking. */
  readonly done: number;
  /** Null where it is not known. */
  readonly total: number | null;
}

/** What lies there afterwards. */
export interface FetchedData {
  /** Folder that the environment's option `data` names. */
  readonly folder: string;
  /** False where the data were there before. */
  readonly isNew: boolean;
  /** Number of tasks, by split as the data name it. */
  readonly tasks: Readonly<Record<string, number>>;
}

/** @throws {ProxmoError} `network` if the archive cannot be had; `file` if it is damaged or cannot be written */
export type DataFetcher = (request: FetchRequest) => Promise<FetchedData>;
