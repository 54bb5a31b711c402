/** Completion for zsh: a function for each command, by zsh's _arguments and _describe. */
import { allOf, type CommandNode, type Kind, type OptionNode } from "./tree.js";

export function zshScript(root: CommandNode): string {
  const functions = allOf(root).map((node) => (node.commands.length > 0 ? group(node) : leaf(node)));
  return `#compdef sotto
# zsh completion for sotto, written by \`sotto completion zsh\`
${functions.join("\n")}
if [[ $funcstack[1] == _sotto ]]; then _sotto "$@"; else compdef _sotto sotto; fi
`;
}

function nameOf({ path }: CommandNode): string {
  return ["_sotto", ...path.map((word) => word.replaceAll("-", "_"))].join("_");
}

function group(node: CommandNode): string {
  const list = node.commands.map((c) => quoted(`${c.path.at(-1)}:${c.description}`));
  const cases = node.commands.map((c) => `        ${c.path.at(-1)}) ${nameOf(c)} ;;`);
  return `${nameOf(node)}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  _arguments -C ${[...node.options.map(option), quoted("1: :->command"), quoted("*:: :->rest")].join(" \\\n    ")}
  case $state in
    command)
      local -a commands=(
        ${list.join("\n        ")}
      )
      _describe command commands
      ;;
    rest)
      case $words[1] in
${cases.join("\n")}
      esac
      ;;
  esac
}`;
}

function leaf(node: CommandNode): string {
  const rest = node.arguments.map((a) => quoted(`:${escaped(a.name)}:${action(a.kind)}`));
  return `${nameOf(node)}() {
  _arguments ${[...node.options.map(option), ...rest].join(" \\\n    ")}
}`;
}

function option({ long, description, value }: OptionNode): string {
  const about = `[${escaped(description)}]`;
  // * : may be given again, which some of them may
  if (!value) return quoted(`${long}${about}`);
  return quoted(`*${long}=${about}:${escaped(value.name)}:${action(value.kind)}`);
}

function action(kind: Kind | undefined): string {
  if (!kind) return " ";
  if (kind.kind === "words") return `(${kind.words.join(" ")})`;
  return kind.kind === "files" ? "_files" : "_files -/";
}

function escaped(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
