/** Shades on a picture that is drawn, and not played: a small preview. */

import type { PictureArea } from './areas'

/** Hide them on what was drawn on all of the canvas. */
export function shadeCanvas(canvas: HTMLCanvasElement, shades: readonly PictureArea[]): void {
  const context = canvas.getContext('2d')
  if (!context) return
  context.fillStyle = '#545f66'
  for (const { polygon } of shades) {
    context.beginPath()
    for (const [x, y] of polygon) context.lineTo(x * canvas.width, y * canvas.height)
    context.closePath()
    context.fill()
  }
}
