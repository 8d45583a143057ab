/** The settings of telling people, as they are read for forms and written by them: the one way by which settings are saved, with the revision that was read. */

import { Problem } from '../api/client'
import type { Rule } from '../api/notify'
import { refusalOf, settings, type Sections } from '../api/settings'
import { t } from '../i18n'

export class Keeping {
  read = $state.raw<Sections | null>(null)

  async load(): Promise<void> {
    this.read = await settings.sections()
  }

  part(name: 'channels' | 'people'): Record<string, Record<string, unknown>> {
    return (this.read?.notify[name] ?? {}) as Record<string, Record<string, unknown>>
  }

  /** Null where the settings name none, and the one that is built in holds. */
  get rules(): unknown {
    return this.read?.notify.rules ?? null
  }

  /** What the settings say of the MQTT broker; nothing where they name none. */
  get broker(): Record<string, unknown> {
    return this.read?.mqtt ?? {}
  }

  /** Raises an Error whose words are for whoever filled in the form: no lines and columns of a file that they do not see. */
  async save(patch: Record<string, unknown>, section: 'notify' | 'mqtt' = 'notify'): Promise<void> {
    await this.#saved(() => settings.patchSection(section, patch, '', this.read?.revision))
  }

  async removeBroker(): Promise<void> {
    await this.#saved(() => settings.removeBroker(this.read?.revision))
  }

  async #saved(saving: () => Promise<unknown>): Promise<void> {
    try {
      await saving()
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal?.problems.length) throw new Error(refusal.problems.map((each) => [each.what, each.remedy].filter(Boolean).map(sentence).join(' ')).join(' '), { cause: error })
      if (error instanceof Problem && error.status === 409) {
        await this.load()
        throw new Error(t('notify.form.meanwhile'), { cause: error })
      }
      throw error
    }
    await this.load()
  }
}

/** What the dialogue of one way or person is given. name: null of a new one. */
export interface OfOne {
  name: string | null
  keeping: Keeping
  rules: readonly Rule[]
  onclose: () => void
  onsaved: (name: string | null) => void
}

const sentence = (said: string): string => `${said.charAt(0).toUpperCase()}${said.slice(1)}${/[.!?…]$/.test(said) ? '' : '.'}`
