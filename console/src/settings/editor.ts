/**
 * The editor of the settings: CodeMirror in a shadow root, since its styles must come as constructed sheets (the page's policy allows
 * no <style>). Keys and values are offered by the JSON Schema; what is wrong is marked where the post says it is.
 */

import { autocompletion, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete'
import { yaml } from '@codemirror/lang-yaml'
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint'
import { unifiedMergeView } from '@codemirror/merge'
import { EditorState, type Extension } from '@codemirror/state'
import { EditorView, hoverTooltip } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { basicSetup } from 'codemirror'
import { t } from '../i18n'
import type { SettingsProblem } from '../api/settings'
import { beside, described, holders, indentOf, keyOf, keys, values, type Schema } from './schema'

const look = EditorView.theme({
  '&': { color: 'var(--text)', backgroundColor: 'var(--ground)', fontSize: '13px', height: '100%' },
  '.cm-scroller': { fontFamily: "ui-monospace, 'DejaVu Sans Mono', monospace", lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused': { outline: '2px solid var(--focus)', outlineOffset: '-2px' },
  '.cm-gutters': { backgroundColor: 'var(--panel)', color: 'var(--muted)', borderRight: '1px solid var(--line)' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--text) 4%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--text) 8%, transparent)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--focus) 30%, transparent)',
  },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--text)', border: '1px solid var(--line-strong)', borderRadius: 'var(--radius)' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--on-accent)' },
  '.cm-completionInfo': { maxWidth: '320px', padding: '6px 9px' },
  '.cm-hover': { maxWidth: '360px', padding: '6px 9px' },
  '.cm-diagnostic': { padding: '5px 9px', borderLeft: '3px solid var(--alert)' },
  // Words on a tinted ground are in the colour of text: others would not stand out enough.
  '.cm-changedLine': { backgroundColor: 'color-mix(in srgb, var(--recorded) 16%, transparent) !important' },
  '.cm-changedLine, .cm-changedLine *, .cm-deletedChunk *': { color: 'var(--text)' },
  '.cm-changedText': { background: 'none !important', textDecoration: 'underline' },
  '.cm-deletedChunk': { backgroundColor: 'var(--absent-ground)', color: 'var(--text)' },
  '.cm-deletedChunk .cm-deletedText': { background: 'none !important', textDecoration: 'line-through' },
  '.cm-panels': { backgroundColor: 'var(--panel)', color: 'var(--text)' },
  '.cm-collapsedLines::before, .cm-collapsedLines::after': { content: '"…" !important' },
  '.cm-collapsedLines': { background: 'var(--planned-ground)', color: 'var(--muted)' },
})

const colours = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: 'var(--accent)' },
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
  { tag: [tags.separator, tags.punctuation, tags.squareBracket, tags.brace], color: 'var(--muted)' },
])

/** The editor's own words, in the reader's language. */
function phrases(): Record<string, string> {
  const words: Record<string, string> = {
    Find: 'find', 'Replace': 'replaceWith', next: 'next', previous: 'previous', all: 'all', 'match case': 'matchCase',
    regexp: 'regexp', 'by word': 'byWord', replace: 'replace', 'replace all': 'replaceAll', close: 'close',
    'Go to line': 'goToLine', go: 'go', 'current match': 'currentMatch', 'on line': 'onLine', Completions: 'completions',
    'Fold line': 'foldLine', 'Unfold line': 'unfoldLine', 'folded code': 'foldedCode', unfold: 'unfold',
    Diagnostics: 'diagnostics', 'No diagnostics': 'noDiagnostics', '$ unchanged lines': 'unchangedLines',
  }
  return Object.fromEntries(Object.entries(words).map(([said, key]) => [said, t(`settings.cm_${key}`)]))
}

function mounted(host: HTMLElement, extensions: Extension[], text: string, label: string): { view: EditorView; room: ShadowRoot } {
  const room = host.shadowRoot ?? host.attachShadow({ mode: 'open' })
  room.replaceChildren()
  const view = new EditorView({
    parent: room,
    root: room,
    state: EditorState.create({
      doc: text,
      extensions: [basicSetup, yaml(), syntaxHighlighting(colours), look, EditorState.phrases.of(phrases()), EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }), ...extensions],
    }),
  })
  return { view, room }
}

export interface Words {
  label: string
  onchange: (text: string) => void
}

export class Editor {
  private readonly view: EditorView
  private schema: Schema = {}

  constructor(host: HTMLElement, text: string, words: Words, readOnly = false) {
    const changed = EditorView.updateListener.of((update) => {
      if (update.docChanged) words.onchange(update.state.doc.toString())
    })
    this.view = mounted(
      host,
      [
        changed,
        lintGutter(),
        autocompletion({ override: [(context) => this.complete(context)] }),
        hoverTooltip((view, pos) => this.hover(view, pos)),
        EditorState.readOnly.of(readOnly),
      ],
      text,
      words.label,
    ).view
  }

  use(schema: Schema): void {
    this.schema = schema
  }

  get text(): string {
    return this.view.state.doc.toString()
  }

  set text(text: string) {
    this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: text } })
  }

  /** Mark what is wrong. */
  mark(problems: readonly SettingsProblem[]): void {
    const doc = this.view.state.doc
    const marks = problems.map((problem): Diagnostic => {
      const line = doc.line(Math.min(Math.max(1, problem.line), doc.lines))
      const from = Math.min(line.from + Math.max(0, problem.column - 1), line.to)
      const said = [problem.key ? `${problem.key}: ${problem.what}` : problem.what, problem.remedy].filter(Boolean)
      return { from, to: Math.max(from, line.to), severity: 'error', message: said.join('. ') }
    })
    this.view.dispatch(setDiagnostics(this.view.state, marks))
  }

  /** Go to a place, with the cursor. */
  show(line: number, column: number): void {
    const found = this.view.state.doc.line(Math.min(Math.max(1, line), this.view.state.doc.lines))
    const at = Math.min(found.from + Math.max(0, column - 1), found.to)
    this.view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) })
    this.view.focus()
  }

  close(): void {
    this.view.destroy()
  }

  private lines(): string[] {
    return this.view.state.doc.toString().split('\n')
  }

  private complete(context: CompletionContext): CompletionResult | null {
    const line = context.state.doc.lineAt(context.pos)
    const before = line.text.slice(0, context.pos - line.from)
    const lines = this.lines()
    const n = line.number - 1
    const value = /^(\s*(?:-\s+)?["']?([\w-]+)["']?\s*:\s+)["']?([\w-]*)$/.exec(before)
    if (value?.[1] !== undefined && value[2] !== undefined) {
      const path = [...holders(lines, n), value[2]]
      const options = values(this.schema, path).map((label): Completion => ({ label, type: 'constant' }))
      return options.length ? { from: context.pos - (value[3]?.length ?? 0), options, validFor: /^[\w-]*$/ } : null
    }
    const key = /^(\s*(?:-\s+)?)([\w-]*)$/.exec(before)
    if (!key || (!context.explicit && !key[2])) return null
    const indent = indentOf(before || line.text)
    const options = keys(this.schema, holders(lines, n, indent), beside(lines, n, indent)).map(
      (choice): Completion => ({
        label: choice.label,
        type: choice.section ? 'namespace' : 'property',
        info: choice.info,
        apply: choice.section ? `${choice.label}:\n${' '.repeat(indent + 2)}` : `${choice.label}: `,
      }),
    )
    return options.length ? { from: context.pos - (key[2]?.length ?? 0), options, validFor: /^[\w-]*$/ } : null
  }

  private hover(view: EditorView, pos: number): { pos: number; end: number; create: () => { dom: HTMLElement } } | null {
    const line = view.state.doc.lineAt(pos)
    const key = keyOf(line.text)
    const start = line.from + line.text.indexOf(key ?? '')
    if (key === null || pos < start || pos > start + key.length) return null
    const says = described(this.schema, [...holders(this.lines(), line.number - 1), key])
    if (!says) return null
    return {
      pos: start,
      end: start + key.length,
      create: () => {
        const dom = document.createElement('div')
        dom.className = 'cm-hover'
        dom.textContent = says
        return { dom }
      },
    }
  }
}

/** What a text changes against another, to look at. */
export class Comparison {
  private readonly view: EditorView

  constructor(host: HTMLElement, before: string, after: string, label: string) {
    this.view = mounted(
      host,
      [
        unifiedMergeView({ original: before, mergeControls: false, gutter: true, syntaxHighlightDeletions: false, collapseUnchanged: { margin: 2, minSize: 6 } }),
        EditorState.readOnly.of(true),
        EditorView.editable.of(false),
        EditorView.contentAttributes.of({ tabindex: '0' }),
      ],
      after,
      label,
    ).view
  }

  close(): void {
    this.view.destroy()
  }
}
