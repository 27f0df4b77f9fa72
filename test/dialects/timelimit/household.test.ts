/** Every subject of the API in one process and at one hub: starting either costs more than most of them. Each of them runs alone too. */
import './subjects/actions.ts'
import './subjects/integrity.ts'
import './subjects/joining.ts'
import './subjects/keys.ts'
import './subjects/live.ts'
import './subjects/pull.ts'
import './subjects/removal.ts'
import './subjects/requests.ts'
