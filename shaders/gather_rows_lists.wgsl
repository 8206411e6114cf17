// Which positions read each row of a table, as linked lists: head[row] is the first position i with indices[i] = row,
// next[i] the one after it, NONE the end. Lists ascend. Positions whose index lies beyond the table are in no list.
//
// The rows are dealt out to BUCKETS invocations. Each reads all indices from the last to the first and pushes those of
// its own rows onto the front of their lists. No two invocations write the same word, so no atomics are needed and the
// order is fixed; memory is linear in both sizes. With STAGED, BUCKETS is a power of two, and a workgroup reads the
// indices in turns of STAGE into workgroup memory, four at a time from there.

const NONE = 0xffffffffu;

//#if STAGED
const STAGE = 2048u;
var<workgroup> staged: array<vec4<u32>, STAGE / 4u>;

fn push(row: u32, position: u32, bucket: u32) {
  // The last turn repeats the last index beyond the last position.
  if ((row ^ bucket) % BUCKETS == 0u && position < params.count) {
    if (row < params.tableRows) {
      next[position] = head[row];
      head[row] = position;
    } else {
      next[position] = NONE;
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  let bucket = global.x;
  for (var row = bucket; row < params.tableRows; row += BUCKETS) {
    head[row] = NONE;
  }
  for (var turn = (params.count + STAGE - 1u) / STAGE; turn > 0u; turn--) {
    let start = (turn - 1u) * STAGE;
    workgroupBarrier();
    for (var four = local; four < STAGE / 4u; four += WORKGROUP) {
      let at = vec4<u32>(start + 4u * four) + vec4<u32>(0u, 1u, 2u, 3u);
      let last = vec4<u32>(params.count - 1u);
      let place = min(at, last);
      staged[four] = vec4<u32>(indices[place.x], indices[place.y], indices[place.z], indices[place.w]);
    }
    workgroupBarrier();
    for (var four = STAGE / 4u; four > 0u; four--) {
      let rows = staged[four - 1u];
      let isOwn = (rows ^ vec4<u32>(bucket)) % vec4<u32>(BUCKETS) == vec4<u32>(0u);
      if (any(isOwn)) {
        let at = start + 4u * (four - 1u);
        push(rows.w, at + 3u, bucket);
        push(rows.z, at + 2u, bucket);
        push(rows.y, at + 1u, bucket);
        push(rows.x, at, bucket);
      }
    }
  }
}
//#else
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  let bucket = global.x;
  for (var row = bucket; row < params.tableRows; row += BUCKETS) {
    head[row] = NONE;
  }
  for (var i = params.count; i > 0u; i--) {
    let row = indices[i - 1u];
    if (row % BUCKETS == bucket) {
      if (row < params.tableRows) {
        next[i - 1u] = head[row];
        head[row] = i - 1u;
      } else {
        next[i - 1u] = NONE;
      }
    }
  }
}
//#endif
