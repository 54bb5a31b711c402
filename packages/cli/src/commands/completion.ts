/** `sotto completion SHELL`: a script by which the shell completes this command. */
import { Argument, type Command } from "commander";
import { print } from "../terminal.js";

const SHELLS = ["bash", "zsh", "fish"] as const;

export function addCompletion(program: Command): void {
  program
    .command("completion")
    .summary("print a script by which a shell completes the command line")
    .description("print a script by which a shell completes commands, options and files of sotto")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .addHelpText(
      "after",
      `
Examples:
  source <(sotto completion bash)                                # this shell; for all: in ~/.bashrc
  sotto completion zsh > ~/.zfunc/_sotto                         # a directory of $fpath, before compinit
  sotto completion fish > ~/.config/fish/completions/sotto.fish`,
    )
    .action(async (shell: (typeof SHELLS)[number]) => {
      const [{ makeProgram }, { treeOf }] = await Promise.all([
        import("../program.js"),
        import("../completion/tree.js"),
      ]);
      const tree = treeOf(await makeProgram());
      await print((await script(shell))(tree).trimEnd());
    });
}

async function script(shell: (typeof SHELLS)[number]) {
  if (shell === "bash") return (await import("../completion/bash.js")).bashScript;
  if (shell === "zsh") return (await import("../completion/zsh.js")).zshScript;
  return (await import("../completion/fish.js")).fishScript;
}
