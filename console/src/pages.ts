/** The pages of the console, in the order of the rail. Each is read when somebody goes there, and not before. */

import type { Component } from 'svelte'
import type { IconName } from './parts/icons'

export type RightName = 'view' | 'operate' | 'inspect' | 'audit' | 'administer'

export interface PageEntry {
  /** First part of the address behind `#/`. */
  path: string
  /** Key of its name. */
  title: string
  icon: IconName
  /** Who sees it on the rail; the post checks rights itself. */
  right?: RightName
  /** Not on the rail: reached from another page. */
  hidden?: boolean
  /** Only at a hub, or only at a post; without, at both. */
  at?: 'hub' | 'post'
  /** At the foot of the rail, and behind "more" on a phone. */
  foot?: boolean
  load: () => Promise<{ default: Component }>
}

export const PAGES: readonly PageEntry[] = [
  { path: 'posts', title: 'nav.posts', icon: 'mast', at: 'hub', load: () => import('./pages/Posts.svelte') },
  { path: 'review', title: 'nav.review', icon: 'clock', load: () => import('./pages/Review.svelte') },
  { path: 'events', title: 'nav.events', icon: 'seen', load: () => import('./pages/Events.svelte') },
  { path: 'duties', title: 'nav.duties', icon: 'duties', load: () => import('./pages/Duties.svelte') },
  { path: 'reports', title: 'nav.reports', icon: 'chart', load: () => import('./pages/Reports.svelte') },
  { path: 'exports', title: 'nav.exports', icon: 'export', load: () => import('./pages/Exports.svelte') },
  { path: 'holds', title: 'nav.holds', icon: 'shield', load: () => import('./pages/Holds.svelte') },
  { path: 'settings', title: 'nav.settings', icon: 'gear', right: 'administer', foot: true, load: () => import('./pages/Settings.svelte') },
  { path: 'masks', title: 'nav.masks', icon: 'hidden', right: 'administer', at: 'post', foot: true, load: () => import('./pages/Masks.svelte') },
  { path: 'notifications', title: 'notify.title', icon: 'bell', right: 'administer', foot: true, load: () => import('./pages/Notifications.svelte') },
  { path: 'people', title: 'nav.people', icon: 'people', right: 'administer', foot: true, load: () => import('./pages/People.svelte') },
  { path: 'audit', title: 'nav.audit', icon: 'glass', foot: true, load: () => import('./pages/Audit.svelte') },
  { path: 'health', title: 'nav.health', icon: 'pulse', foot: true, load: () => import('./pages/Health.svelte') },
  { path: 'link', title: 'nav.link', icon: 'link', right: 'inspect', at: 'post', foot: true, load: () => import('./pages/Link.svelte') },
  { path: 'profile', title: 'nav.profile', icon: 'person', foot: true, load: () => import('./pages/Profile.svelte') },
  { path: 'cameras', title: 'setup.newCamera', icon: 'plus', right: 'administer', hidden: true, load: () => import('./pages/Cameras.svelte') },
  { path: 'upgrades', title: 'upgrade.title', icon: 'download', right: 'administer', at: 'hub', hidden: true, load: () => import('./pages/Upgrades.svelte') },
  { path: 'setup', title: 'setup.title', icon: 'check', right: 'administer', hidden: true, load: () => import('./pages/SetUp.svelte') },
]

export function pageOf(path: string): PageEntry | undefined {
  return PAGES.find((page) => page.path === path)
}
