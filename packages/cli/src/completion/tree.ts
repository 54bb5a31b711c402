/**
 * What a shell has to know of the command line, read off commander's own tree. Scripts are generated whole: the libraries there
 * are start the command at every key press (a second on a busy machine) and do not complete file names, which is what most
 * of these arguments are.
 */
import type { Command } from "commander";

/** What is completed where a value stands. */
export type Kind = { kind: "files" } | { kind: "directories" } | { kind: "words"; words: readonly string[] };

export interface OptionNode {
  /** --name. */
  long: string;
  /** -n. */
  short?: string;
  description: string;
  /** For options that take a value; undefined kind: nothing is known of it. */
  value?: { name: string; kind?: Kind };
}

export interface CommandNode {
  /** Words after `sotto`; none for the command itself. */
  path: readonly string[];
  description: string;
  options: readonly OptionNode[];
  commands: readonly CommandNode[];
  /** Of its arguments in order. */
  arguments: readonly { name: string; kind?: Kind }[];
}

export function treeOf(command: Command, path: readonly string[] = []): CommandNode {
  const help = command.createHelp();
  const commands = help
    .visibleCommands(command)
    .filter((c) => c.name() !== "help")
    .map((c) => treeOf(c, [...path, c.name()]));
  return {
    path,
    description: command.summary() || command.description(),
    options: help.visibleOptions(command).map((option) => ({
      long: option.long!,
      ...(option.short ? { short: option.short } : {}),
      description: option.description,
      ...(option.required || option.optional ? { value: valueFor(option.flags, option.argChoices) } : {}),
    })),
    commands,
    arguments: command.registeredArguments.map((a) => ({
      name: a.name(),
      ...kindOf(a.name(), a.argChoices),
    })),
  };
}

/** All commands, from the outermost on. */
export function allOf(node: CommandNode): CommandNode[] {
  return [node, ...node.commands.flatMap(allOf)];
}

function valueFor(flags: string, choices?: readonly string[]) {
  const name = /[<[](.*)[>\]]/.exec(flags)?.[1] ?? "value";
  return { name, ...kindOf(name, choices) };
}

/** By the name that --help shows for it. */
function kindOf(name: string, words?: readonly string[]): { kind?: Kind } {
  if (words) return { kind: { kind: "words", words } };
  if (/^dir$/.test(name)) return { kind: { kind: "directories" } };
  if (/^(file|model)$|\.npy$/.test(name)) return { kind: { kind: "files" } };
  return {};
}
