/** Completion for bash 3.2 (macOS) and later, without the package bash-completion. */
import { allOf, type CommandNode, type Kind } from "./tree.js";

export function bashScript(root: CommandNode): string {
  const nodes = allOf(root);
  const choose = (of: (node: CommandNode) => string | undefined) =>
    nodes
      .flatMap((node) => {
        const text = of(node);
        return text ? [`    "${node.path.join(" ")}") ${text} ;;`] : [];
      })
      .join("\n");
  const values = nodes.flatMap((node) =>
    node.options
      .filter((o) => o.value)
      .map((o) => `    "${[...node.path, o.long].join(" ")}") ${set(o.value?.kind)} ;;`),
  );
  return `# bash completion for sotto, written by \`sotto completion bash\`
_sotto_commands() {
  case $1 in
${choose((n) => (n.commands.length > 0 ? `words="${namesOf(n)}"` : undefined))}
  esac
}
_sotto_options() {
  case $1 in
${choose((n) => `words="${n.options.map((o) => o.long).join(" ")}"`)}
  esac
}
_sotto_value() {
  case $1 in
${values.join("\n")}
    *) return 1 ;;
  esac
}
_sotto_argument() {
  case $1 in
${choose((n) => (n.arguments[0] ? set(n.arguments[0].kind) : undefined))}
  esac
}
_sotto() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at=$COMP_CWORD path="" words="" kind="" first
  COMPREPLY=()
  # bash takes "--profile=wan" and "x=file" for three words each
  [[ $cur == "=" ]] && cur="" && at=$((at + 1))
  local before=\${COMP_WORDS[at - 1]}
  if [[ $before == "=" ]]; then
    before=\${COMP_WORDS[at - 2]}
    [[ $before != --* ]] && before=\${COMP_WORDS[at - 3]}
  fi
  if ((at > 1)); then
    first=\${COMP_WORDS[1]}
    _sotto_commands ""
    [[ " $words " == *" $first "* ]] && path=$first
    words=""
  fi
  if [[ -n $path ]] && ((at > 2)); then
    _sotto_commands "$path"
    [[ -n $words && " $words " == *" \${COMP_WORDS[2]} "* ]] && path="$path \${COMP_WORDS[2]}"
    words=""
  fi
  if [[ $before == --* ]] && _sotto_value "$path\${path:+ }$before"; then
    :
  elif [[ $cur == -* ]]; then
    _sotto_options "$path"
    kind="words"
  else
    _sotto_commands "$path"
    if [[ -n $words ]]; then kind="words"; else _sotto_argument "$path"; fi
  fi
  case $kind in
    files) ;; # what bash does by itself
    directories) compopt +o default -o dirnames 2>/dev/null ;;
    *)
      compopt +o default 2>/dev/null
      COMPREPLY=($(compgen -W "$words" -- "$cur"))
      ;;
  esac
}
complete -o default -F _sotto sotto
`;
}

function namesOf(node: CommandNode): string {
  return [...node.commands.map((c) => c.path.at(-1)!), ...(node.path.length === 0 ? ["help"] : [])].join(" ");
}

function set(kind: Kind | undefined): string {
  if (!kind) return 'kind="none"';
  return kind.kind === "words" ? `kind="words" words="${kind.words.join(" ")}"` : `kind="${kind.kind}"`;
}
