/** What `proxmo generate` gives a chat template besides the conversation. */
import { ProxmoError } from '../../base/errors.ts';
import { textOfFile } from '../../base/wholeFile.node.ts';
import type { ChatSettings } from '../../rl/policySource.ts';

/** Options of the command line. */
export interface ChatFlags {
  readonly chat?: boolean;
  readonly system?: string;
  readonly templateVar: readonly string[];
  readonly tools?: string;
}

/** @throws {ProxmoError} `usage` if options are given that only --chat has, or one is not what it should be; `file` */
export async function readChatSettings({ chat, system, templateVar, tools }: ChatFlags): Promise<ChatSettings> {
  const flags = { '--system': system, '--template-var': templateVar[0], '--tools': tools };
  const needless = Object.entries(flags).find(([, value]) => value !== undefined);
  if (needless && !chat) throw new ProxmoError('usage', `${needless[0]} needs --chat.`);
  const variables = Object.fromEntries(templateVar.map(readVariable));
  return {
    ...(templateVar.length > 0 ? { variables } : {}),
    ...(tools === undefined ? {} : { tools: await readTools(tools) }),
  };
}

/** `name=value`; the value is JSON, or else a text as it stands. */
function readVariable(assignment: string): [string, unknown] {
  const [name, text] = [assignment.split('=', 1)[0]!, assignment.slice(assignment.indexOf('=') + 1)];
  if (!/^[A-Za-z_]\w*$/.test(name) || !assignment.includes('=')) {
    throw new ProxmoError('usage', `--template-var ${assignment} is not name=value, as enable_thinking=false.`);
  }
  try {
    return [name, JSON.parse(text)];
  } catch {
    return [name, text];
  }
}

async function readTools(path: string): Promise<unknown[]> {
  const text = await textOfFile(path, 'give a file with a JSON list of tools');
  let tools: unknown;
  try {
    tools = JSON.parse(text);
  } catch (cause) {
    throw new ProxmoError('file', `${path} is not JSON; give a list of tools, as the model's makers describe them.`, {
      cause,
    });
  }
  if (Array.isArray(tools) && tools.length > 0) return tools;
  throw new ProxmoError('file', `${path} is not a list of tools; put them between [ and ].`);
}
