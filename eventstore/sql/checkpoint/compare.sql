-- checkpoint/compare: of some heads, those that the log has no more, or in another form; not those of removed runs.
select h.run_id, h.seq, e.run_id is not null as there
from unnest(%(run_ids)s::uuid[], %(seqs)s::int[], %(hashes)s::text[]) as h (run_id, seq, hash)
left join flex_events e on e.run_id = h.run_id and e.seq = h.seq
where (e.run_id is null or e.hash is distinct from decode(h.hash, 'hex'))
  and not exists (
    select from flex_pruned_runs p
    where p.run_id = h.run_id
      and (p.events > h.seq
           or (p.events = h.seq and (p.head_hash is null or p.head_hash = decode(h.hash, 'hex')))))
order by h.run_id
