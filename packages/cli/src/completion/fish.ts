/** Completion for fish: a line for each command, option and argument. */
import { allOf, type CommandNode, type Kind } from "./tree.js";

export function fishScript(root: CommandNode): string {
  const lines = allOf(root).flatMap((node) => {
    const depth = node.path.length;
    const here = `__sotto_at ${[depth, ...node.path].join(" ")}`;
    const exactly = `__sotto_exactly ${[depth, ...node.path].join(" ")}`;
    return [
      ...node.commands.map((c) => line(exactly, `-a ${quoted(c.path.at(-1)!)} -d ${quoted(c.description)}`)),
      ...node.options.map(({ long, short, description, value }) =>
        line(
          here,
          [
            ...(short ? [`-s ${short.slice(1)}`] : []),
            `-l ${long.slice(2)}`,
            ...(value ? [`-r ${completes(value.kind)}`] : []),
            `-d ${quoted(description)}`,
          ].join(" "),
        ),
      ),
      ...node.arguments.slice(0, 1).flatMap(({ kind }) => (kind ? [line(here, completes(kind))] : [])),
    ];
  });
  return `# fish completion for sotto, written by \`sotto completion fish\`
# whether the line names this command: how many words, and which
function __sotto_at
    set -l given (commandline -opc)[2..]
    test $argv[1] -eq 0; and test (count $given) -eq 0; and return 0
    test $argv[1] -gt 0; and test "$given[1..$argv[1]]" = "$argv[2..]"
end
# the same, with nothing behind it
function __sotto_exactly
    set -l given (commandline -opc)[2..]
    test (count $given) -eq $argv[1]; and test "$given" = "$argv[2..]"
end
complete -c sotto -f
${lines.join("\n")}
`;
}

function line(condition: string, what: string): string {
  return `complete -c sotto -n ${quoted(condition)} ${what}`;
}

function completes(kind: Kind | undefined): string {
  if (!kind) return "-f";
  if (kind.kind === "words") return `-f -a ${quoted(kind.words.join(" "))}`;
  return kind.kind === "files" ? "-F" : "-f -a '(__fish_complete_directories)'";
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
