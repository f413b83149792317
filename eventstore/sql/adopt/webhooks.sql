-- adopt/webhooks: put the webhooks at the same places. What was stored when one was made is behind its place, but for
-- commits that were under way at that moment and not yet read on.
update flex_webhooks h set fed_xid = a.number::text::xid8, created_in = '3:3:'
from flex_adopted a where a.run_id is null and a.xid = h.fed_xid
