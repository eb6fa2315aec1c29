printf '#!/bin/bash\ndate -d "$1" +"$2"\n' > /usr/local/bin/date-format
chmod +x /usr/local/bin/date-format
