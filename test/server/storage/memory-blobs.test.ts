import { MemoryBlobStore } from '../../../server/storage/memory-blobs.ts'
import { blobContract } from '../../contract/blobs.ts'

blobContract('server/storage/memory-blobs', async () => ({ blobs: new MemoryBlobStore(), drop: async () => {} })).run()
