# `date-format DATE FORMAT` equals `date`, for one date: upstream's script ends after the first of its six.
[ "$(date-format 2023-5-1 %Y-%m)" = "$(date -d 2023-5-1 +%Y-%m)" ]
