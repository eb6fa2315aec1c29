# `date-format DATE FORMAT` equals `date`, for several dates and formats.
same() {
    [ "$(date-format "$1" "$2")" = "$(date -d "$1" +"$2")" ]
}
same 2023-5-1 %Y-%m && same 2021-12-31 %d/%m/%Y && same 2020/2/29 %m/%d && same 1999/07/4 'Day: %Y-%m-%d'
