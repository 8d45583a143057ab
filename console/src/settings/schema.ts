/** Where in the settings a place of the text is, and what may stand there by their JSON Schema. */

export type Schema = Record<string, unknown>

export interface Choice {
  label: string
  /** What it means. */
  info: string
  /** A section follows it, or a value. */
  section: boolean
}

/** The keys that hold line `n` (from 0), from the root; its own key, where it has one, is not among them. */
export function holders(lines: readonly string[], n: number, indent = indentOf(lines[n] ?? '')): string[] {
  const path: string[] = []
  let least = indent
  for (let line = n - 1; line >= 0 && least > 0; line -= 1) {
    const text = lines[line] ?? ''
    if (!text.trim() || text.trimStart().startsWith('#')) continue
    const own = indentOf(text)
    if (own >= least) continue
    const key = keyOf(text)
    if (key !== null) path.unshift(key)
    // `- days: mon` begins an item: what holds it is above the dash.
    least = /^\s*-\s/.test(text) ? text.search(/-/) : own
    if (/^\s*-\s/.test(text)) {
      if (key !== null) path.shift()
      least = text.search(/-/) + 1
    }
  }
  return path
}

export function keyOf(line: string): string | null {
  const match = /^\s*(?:-\s+)?["']?([\w-]+)["']?\s*:/.exec(line)
  return match?.[1] ?? null
}

/** The column at which a line begins; that behind the dash, for an item of a list. */
export function indentOf(line: string): number {
  const dash = /^(\s*-\s+)/.exec(line)
  return dash?.[1] !== undefined ? dash[1].length : line.length - line.trimStart().length
}

function resolved(root: Schema, node: unknown): Schema {
  let found = (node ?? {}) as Schema
  for (let depth = 0; depth < 8 && typeof found.$ref === 'string'; depth += 1) {
    const parts = found.$ref.replace(/^#\//, '').split('/')
    let next: unknown = root
    for (const part of parts) next = (next as Schema | undefined)?.[part]
    found = { ...((next ?? {}) as Schema), ...withoutRef(found) }
  }
  return found
}

function withoutRef(node: Schema): Schema {
  const { $ref: _, ...rest } = node
  return rest
}

/** Every form that a node may have. */
function forms(root: Schema, node: unknown): Schema[] {
  const found = resolved(root, node)
  const others = [...((found.anyOf as unknown[]) ?? []), ...((found.oneOf as unknown[]) ?? [])]
  // The whole file has keys of its own, and two ways of which it needs: that it has them is what counts here.
  return others.length && !found.properties ? others.flatMap((other) => forms(root, other)) : [found]
}

/** What may stand at a path; [] where nothing is known. `defaults` takes what a camera takes. */
export function at(root: Schema, path: readonly string[]): Schema[] {
  let nodes = forms(root, root)
  for (const [n, key] of path.entries()) {
    if (n === 0 && key === 'defaults') {
      nodes = at(root, ['cameras', 'any'])
      continue
    }
    nodes = nodes.flatMap((node) => {
      const inner = node.type === 'array' ? forms(root, node.items) : [node]
      return inner.flatMap((each) => {
        const properties = each.properties as Schema | undefined
        if (properties && key in properties) return forms(root, properties[key])
        for (const [pattern, value] of Object.entries((each.patternProperties as Schema | undefined) ?? {})) {
          if (new RegExp(pattern).test(key)) return forms(root, value)
        }
        return each.additionalProperties && typeof each.additionalProperties === 'object' ? forms(root, each.additionalProperties) : []
      })
    })
  }
  return nodes
}

/** The description of the key at a path. */
export function described(root: Schema, path: readonly string[]): string {
  const key = path.at(-1) ?? ''
  const holder = path.length > 1 && path[0] === 'defaults' ? ['cameras', 'any', ...path.slice(1, -1)] : path.slice(0, -1)
  for (const node of at(root, holder)) {
    for (const each of node.type === 'array' ? forms(root, node.items) : [node]) {
      const found = (each.properties as Schema | undefined)?.[key]
      if (found) return String(resolved(root, found).description ?? (found as Schema).description ?? '')
    }
  }
  return ''
}

/** Keys that may stand in a section, but those that stand there. */
export function keys(root: Schema, path: readonly string[], there: readonly string[]): Choice[] {
  const found = new Map<string, Choice>()
  for (const node of at(root, path)) {
    for (const each of node.type === 'array' ? forms(root, node.items) : [node]) {
      for (const [label, value] of Object.entries((each.properties as Schema | undefined) ?? {})) {
        if (there.includes(label) || found.has(label)) continue
        const section = forms(root, value).some((form) => form.type === 'object')
        found.set(label, { label, info: described(root, [...path, label]), section })
      }
    }
  }
  return [...found.values()]
}

/** Words that may stand as a value. */
export function values(root: Schema, path: readonly string[]): string[] {
  const found = new Set<string>()
  for (const node of at(root, path)) {
    for (const one of (node.enum as unknown[]) ?? []) found.add(String(one))
    if (node.const !== undefined) found.add(String(node.const))
    if (node.type === 'boolean' && node.const === undefined) for (const one of ['true', 'false']) found.add(one)
  }
  return [...found]
}

/** Keys that stand beside line `n`. */
export function beside(lines: readonly string[], n: number, indent = indentOf(lines[n] ?? '')): string[] {
  const found: string[] = []
  for (const step of [-1, 1]) {
    for (let line = n + step; line >= 0 && line < lines.length; line += step) {
      const text = lines[line] ?? ''
      if (!text.trim() || text.trimStart().startsWith('#')) continue
      const own = indentOf(text)
      if (own < indent) break
      const key = own === indent ? keyOf(text) : null
      if (key !== null) found.push(key)
      if (/^\s*-\s/.test(text) && own === indent) break
    }
  }
  return found
}
