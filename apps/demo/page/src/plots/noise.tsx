import { useEffect, useRef } from "preact/hooks";

/** Bytes as a picture: one pixel each, from black to white. @param label for who cannot see it. */
export function Picture({ bytes, label }: { bytes: Uint8Array; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const columns = Math.max(8, Math.ceil(Math.sqrt(bytes.length * 2)));
  const rows = Math.max(1, Math.ceil(bytes.length / columns));
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(columns, rows);
    bytes.forEach((value, i) => {
      image.data.set([value, value, value, 255], i * 4);
    });
    context.putImageData(image, 0, 0);
  }, [bytes, columns, rows]);
  return <canvas ref={canvas} class="picture" width={columns} height={rows} role="img" aria-label={label} />;
}
