/** Cameras by their posts, in the order in which they come. No I/O. */

import { postOf } from './order'

export interface Group<T> {
  /** Id of the post; null for cameras of this post itself. */
  post: string | null
  name: string
  cameras: T[]
}

/** name: of a post. A post has one group without a name. */
export function grouped<T extends { id: string }>(cameras: readonly T[], name: (post: string) => string): Group<T>[] {
  const groups = new Map<string | null, Group<T>>()
  for (const camera of cameras) {
    const post = postOf(camera.id)
    const known = groups.get(post)
    if (known) known.cameras.push(camera)
    else groups.set(post, { post, name: post === null ? '' : name(post), cameras: [camera] })
  }
  return [...groups.values()]
}
