/** Node's network errors in the product's terms. */
import { SottoError } from "@sotto/core";
import { asSottoError } from "../codes.js";

const TLS_CODES =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|EPROTO|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|INVALID_CA|HOSTNAME_MISMATCH)/;
const OURS = /ALERT/;
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "ETIMEDOUT",
]);

/** @param what the party and its address, for example "server 0 (https://127.0.0.1:9443)". */
export function networkError(error: unknown, what: string): SottoError {
  if (error instanceof SottoError) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? "";
  const text = error instanceof Error ? error.message : String(error);
  if (code === "EPROTO" && /wrong version number/.test(text)) {
    return new SottoError(
      "bad-config",
      `${what} does not speak TLS; is it the right port (metrics and plainHttp have others)?`,
      { cause: error },
    );
  }
  if (TLS_CODES.test(code)) {
    const why = OURS.test(code)
      ? `${what} does not accept this party's certificate (${code}); expected one that it trusts`
      : `${what} has no certificate that is trusted here (${code}: ${text.split("\n")[0]})`;
    return new SottoError("tls", `${why}; compare the tls section of both parties' configurations`, {
      cause: error,
    });
  }
  if (UNREACHABLE.has(code)) {
    return new SottoError("unreachable", `${what} is unreachable: ${text || code}`, { cause: error });
  }
  if (code.startsWith("HPE_")) {
    return new SottoError(
      "bad-config",
      `${what} does not speak HTTP; expected the address of a server's http section, not of its peer section or ` +
        "of the dealer: compare the url with the server's configuration",
      { cause: error },
    );
  }
  return asSottoError(error);
}
