/** Looking closer at a picture: how much larger it is shown, and where. Wheel, pinch, drag and keys; nothing leaves the frame. */

const MOST = 8
const STEP = 1.25
const PAN = 0.1

export class Lens {
  scale = $state(1)
  /** The point of the picture in the middle of the frame, each 0 to 1. */
  x = $state(0.5)
  y = $state(0.5)
  private readonly pointers = new Map<number, PointerEvent>()

  get transform(): string {
    return this.scale === 1 ? '' : `scale(${this.scale}) translate(${(0.5 - this.x) * 100}%, ${(0.5 - this.y) * 100}%)`
  }

  reset(): void {
    this.place(1, 0.5, 0.5)
  }

  /** by: larger than 1 is closer. at: the point of the frame, 0 to 1, that stays where it is. */
  zoom(by: number, atX = 0.5, atY = 0.5): void {
    const scale = Math.max(1, Math.min(MOST, this.scale * by))
    const kept = 1 / this.scale - 1 / scale
    this.place(scale, this.x + (atX - 0.5) * kept, this.y + (atY - 0.5) * kept)
  }

  closer(): void {
    this.zoom(STEP)
  }

  further(): void {
    this.zoom(1 / STEP)
  }

  private place(scale: number, x: number, y: number): void {
    const edge = 0.5 / scale
    this.scale = scale < 1.01 ? 1 : scale
    this.x = Math.max(edge, Math.min(1 - edge, x))
    this.y = Math.max(edge, Math.min(1 - edge, y))
  }

  private pan(x: number, y: number): void {
    this.place(this.scale, this.x + x / this.scale, this.y + y / this.scale)
  }

  /** An attachment: what the frame hears. */
  readonly on = (frame: HTMLElement): (() => void) => {
    const abort = new AbortController()
    const listen = { signal: abort.signal }
    frame.addEventListener('wheel', (event) => this.wheel(event, frame), { ...listen, passive: false })
    frame.addEventListener('pointerdown', (event) => this.down(event, frame), listen)
    frame.addEventListener('pointermove', (event) => this.move(event, frame), listen)
    for (const end of ['pointerup', 'pointercancel'] as const) frame.addEventListener(end, (event) => this.pointers.delete(event.pointerId), listen)
    frame.addEventListener('dblclick', () => (this.scale > 1 ? this.reset() : this.zoom(2)), listen)
    frame.addEventListener('keydown', (event) => this.key(event), listen)
    return () => abort.abort()
  }

  private wheel(event: WheelEvent, frame: HTMLElement): void {
    // A wheel over a whole picture that turns away from it scrolls the page.
    if (event.deltaY > 0 && this.scale === 1 && !event.ctrlKey) return
    event.preventDefault()
    const box = frame.getBoundingClientRect()
    this.zoom(Math.exp(-event.deltaY / 400), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height)
  }

  private down(event: PointerEvent, frame: HTMLElement): void {
    if (event.target instanceof Element && event.target.closest('button')) return
    this.pointers.set(event.pointerId, event)
    if (this.scale > 1 || this.pointers.size > 1) frame.setPointerCapture(event.pointerId)
  }

  private move(event: PointerEvent, frame: HTMLElement): void {
    const before = this.pointers.get(event.pointerId)
    if (!before) return
    const box = frame.getBoundingClientRect()
    const other = [...this.pointers.values()].find((one) => one.pointerId !== event.pointerId)
    if (other) {
      const apart = (one: PointerEvent): number => Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY))
      const middleX = ((event.clientX + other.clientX) / 2 - box.left) / box.width
      const middleY = ((event.clientY + other.clientY) / 2 - box.top) / box.height
      this.zoom(apart(event) / apart(before), middleX, middleY)
    } else if (this.scale > 1) {
      this.pan((before.clientX - event.clientX) / box.width, (before.clientY - event.clientY) / box.height)
    }
    this.pointers.set(event.pointerId, event)
  }

  private key(event: KeyboardEvent): void {
    const pans: Record<string, [number, number]> = { ArrowLeft: [-PAN, 0], ArrowRight: [PAN, 0], ArrowUp: [0, -PAN], ArrowDown: [0, PAN] }
    const pan = pans[event.key]
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === '+' || event.key === '=') this.closer()
    else if (event.key === '-') this.further()
    else if (this.scale > 1 && (event.key === '0' || event.key === 'Escape')) this.reset()
    else if (this.scale > 1 && pan) this.pan(...pan)
    else return
    event.preventDefault()
  }
}
