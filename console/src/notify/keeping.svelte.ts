/** The settings of telling people, as they are read for forms and written by them: the one way by which settings are saved, with the revision that was read. */

import { Problem } from '../api/client'
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

  /** Raises an Error whose words are for whoever filled in the form: no lines and columns of a file that they do not see. */
  async save(patch: Record<string, unknown>): Promise<void> {
    try {
      await settings.patchSection('notify', patch, '', this.read?.revision)
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

const sentence = (said: string): string => `${said.charAt(0).toUpperCase()}${said.slice(1)}${/[.!?…]$/.test(said) ? '' : '.'}`
