# Run as `sh .underway/tables.sh FILE…`: makes the tables of a PostgreSQL database that has none, all or nothing, from
# files of SQL that were written for an empty one. A database with tables is left as it is.
# The database, its roles and its extensions are there already and have other names: what makes them, changes who owns a
# table, or connects elsewhere is left out, and so is the transaction of a file, since there is one around all of them.
set -eu

tables=$(psql --no-psqlrc --no-align --tuples-only --command "
    SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_|^information_schema\$'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')")
if [ "$tables" != 0 ]; then
    echo "the database has $tables tables: nothing of $* was run; what has changed there is for a migration to make"
    exit 0
fi
for file; do
    [ -r "$file" ] || { echo "$file: there is no such file" >&2; exit 1; }
done

# shellcheck disable=SC2016
LC_ALL=C awk '
    FNR == 1 { sub(/^\357\273\277/, ""); skips = copies = 0 }
    { sub(/\r$/, ""); said = tolower($0); sub(/^[ \t]+/, "", said) }
    copies { print; if ($0 == "\\.") copies = 0; next }
    skips { if (said ~ /;/) skips = 0; next }
    said ~ /^\\(c|connect|restrict|unrestrict)([ \t]|$)/ { next }
    said ~ /^(begin|commit|start transaction|begin transaction)[ \t]*;/ { next }
    said ~ /^(create|drop|alter)[ \t]+(database|user|role|extension)[ \t]/ ||
    said ~ /^alter[ \t]+default[ \t]+privileges/ || said ~ /^comment[ \t]+on[ \t]+(database|role|extension)[ \t]/ || said ~ /^(grant|revoke)[ \t]/ ||
    said ~ /^(create|drop)[ \t]+schema[ \t]+(if[ \t]+(not[ \t]+)?exists[ \t]+)?"?public/ ||
    said ~ /^alter[ \t].*[ \t]owner[ \t]+to[ \t]/ { skips = said !~ /;/; next }
    said ~ /^create[ \t]+schema[ \t]/ { sub(/[ \t][Aa][Uu][Tt][Hh][Oo][Rr][Ii][Zz][Aa][Tt][Ii][Oo][Nn][ \t]+[^ \t;]+/, "") }
    said ~ /^copy[ \t].*from[ \t]+stdin.*;/ { copies = 1 }
    { print }
' "$@" | psql --no-psqlrc --quiet --single-transaction --set ON_ERROR_STOP=1 --set VERBOSITY=terse --output /dev/null
echo "made the tables of $*"
