select
    name,
    path,
    size_bytes,
    reason,
    detail,
    rejected_at
from raw.rejections
order by path
