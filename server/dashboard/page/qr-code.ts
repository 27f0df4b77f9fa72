import { html, svg, type TemplateResult } from 'lit-html'
import { encode } from 'uqr'

/** Modules of white that a QR code has around it (ISO/IEC 18004). */
const QUIET_ZONE = 4

/** A text as a QR code: black on white, whatever the page's colours, as some cameras know no other. */
export function qrCode(text: string): TemplateResult {
  const { data, size } = encode(text, { ecc: 'M', border: QUIET_ZONE })
  const modules = data.flatMap((row, y) => row.flatMap((isBlack, x) => (isBlack ? `M${x} ${y}h1v1h-1z` : [])))
  return html`<svg
    class="qr-code"
    viewBox="0 0 ${size} ${size}"
    role="img"
    aria-label="QR code of ${text}"
    shape-rendering="crispEdges"
  >
    ${svg`<path d=${modules.join('')} />`}
  </svg>`
}
