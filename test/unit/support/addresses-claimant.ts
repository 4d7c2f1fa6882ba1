/** A process that claims a network of loopback addresses, says which, and keeps it: `addresses-claimant.ts <preferred>`. */
import {claimNetwork} from '../../support/loopback.ts'

process.send?.(await claimNetwork(Number(process.argv[2])))
process.on('disconnect', () => process.exit())
