/** Catalogues of areas as one: `./exports.json` gives its keys the prefix `exports.`. */
export function gathered(areas: Record<string, Record<string, string>>): Record<string, string> {
  const all: Record<string, string> = {}
  for (const [file, messages] of Object.entries(areas)) {
    const area = file.replace(/^.*\//, '').replace(/\.json$/, '')
    for (const [name, message] of Object.entries(messages)) all[`${area}.${name}`] = message
  }
  return all
}
