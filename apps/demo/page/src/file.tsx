export interface FileChooserProps {
  label: string;
  /** Endings of names. */
  accept: string;
  /** Of the file that is in use. */
  name: string | undefined;
  onFile: (file: File) => void;
}

/** A button to choose a file, and the name of the one in use: what the browser says of it would outlive its use. */
export function FileChooser({ label, accept, name, onFile }: FileChooserProps) {
  return (
    <label class="file">
      {label}
      <span class="button">
        Choose a file
        <input
          type="file"
          accept={accept}
          onChange={({ currentTarget: input }) => {
            const file = input.files?.[0];
            // the same one, once more, is a change, too
            input.value = "";
            if (file) onFile(file);
          }}
        />
      </span>
      <span class="soft name">{name ?? ""}</span>
    </label>
  );
}
