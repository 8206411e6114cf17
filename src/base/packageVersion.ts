/** The version of this package, for records of what computed something. */
import packageJson from '../../package.json' with { type: 'json' };

export const packageVersion: string = packageJson.version;
