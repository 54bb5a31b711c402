import { readFile, stat } from "node:fs/promises";

/**
 * A whole file. Devices, pipes and directories are refused at once: reading some of them never ends.
 * @throws Error as Node.js does; or saying that it is not there, or what it is instead of a regular file.
 */
export async function readRegularFile(path: string): Promise<Uint8Array> {
  const about = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") cause.message = "there is no such file";
    throw cause;
  });
  if (!about.isFile()) {
    const what = about.isDirectory()
      ? "a directory"
      : about.isFIFO()
        ? "a pipe"
        : about.isSocket()
          ? "a socket"
          : "a device";
    throw new Error(`it is ${what}; expected a regular file`);
  }
  return readFile(path);
}
