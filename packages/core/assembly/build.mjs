// Compiles the kernels and writes them as a module that needs no file system (browsers, bundlers).
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = fileURLToPath(new URL(".", import.meta.url));
const { error, binary, stderr } = await compile();
if (error) {
  process.stderr.write(stderr.toString());
  process.exit(1);
}
const out = new URL("../src/ring/kernels.wasm.ts", import.meta.url);
writeFileSync(
  out,
  `// Made by assembly/build.mjs from assembly/*.ts. Do not edit.\nexport const kernelsBase64 =\n  "${Buffer.from(binary).toString("base64")}";\n`,
);

async function compile() {
  let binary;
  const result = await asc.main(
    [
      "index.ts",
      "--baseDir",
      here,
      "--outFile",
      "kernels.wasm",
      "-O3",
      "--enable",
      "simd",
      "--noAssert",
      "--runtime",
      "stub",
    ],
    {
      stdout: asc.createMemoryStream(),
      stderr: asc.createMemoryStream(),
      writeFile: (name, data) => {
        if (name === "kernels.wasm") binary = data;
      },
    },
  );
  return { ...result, binary };
}
