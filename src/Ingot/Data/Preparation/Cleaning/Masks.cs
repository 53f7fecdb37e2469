using System.Text;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>Puts a mark in the place of what may identify somebody: e-mail addresses, telephone numbers, long numbers.</summary>
internal static class Masks
{
    private const string EmailMark = "<EMAIL>", PhoneMark = "<PHONE>", NumberMark = "<NUMBER>";

    /// <summary>Masks e-mail addresses: name@host.domain.</summary>
    public static string Emails(string text, ref long count)
    {
        StringBuilder? masked = null;
        var done = 0;
        for (var at = text.IndexOf('@', StringComparison.Ordinal); at >= 0; at = at + 1 < text.Length ? text.IndexOf('@', at + 1) : -1)
        {
            var start = at;
            while (start > done && (char.IsAsciiLetterOrDigit(text[start - 1]) || text[start - 1] is '.' or '_' or '%' or '+' or '-'))
                start--;
            var end = at + 1;
            while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] is '.' or '-'))
                end++;
            while (end > at + 1 && text[end - 1] is '.' or '-')
                end--;
            var domain = text.AsSpan(at + 1, end - at - 1);
            var top = domain.LastIndexOf('.') + 1;
            if (start == at || top < 2 || domain.Length - top < 2 || domain[top..].ContainsAnyExceptInRange('A', 'z'))
                continue;
            (masked ??= new StringBuilder(text.Length)).Append(text, done, start - done).Append(EmailMark);
            done = end;
            at = end - 1;
            count++;
        }

        return masked is null ? text : masked.Append(text, done, text.Length - done).ToString();
    }

    /// <summary>
    /// Masks telephone numbers: with a + and 8 to 15 digits, as (555) 555-0100 or 555-555-0100, or from 0 on in at least two groups of
    /// 9 to 12 digits together.
    /// </summary>
    public static string PhoneNumbers(string text, ref long count)
    {
        StringBuilder? masked = null;
        var done = 0;
        Span<int> groups = stackalloc int[8];
        for (var at = 0; (at = NextDigit(text, at)) >= 0;)
        {
            var start = at;
            if (start > done && text[start - 1] == '(')
                start--;
            if (start > done && text[start - 1] == '+')
                start--;
            var end = EndOfGroups(text, at, groups, out var groupCount);
            var before = start > 0 ? text[start - 1] : ' ';
            var isOwn = !(char.IsLetterOrDigit(before) || before is '.' or '-' or '/' or ',' or '$' or '€' or '#' or '_' or '=' or ':')
                && (end == text.Length || !(char.IsLetterOrDigit(text[end]) || text[end] is '-' or '_' or '%'));
            if (isOwn && groupCount <= groups.Length && IsPhone(text[start], groups[..groupCount]))
            {
                (masked ??= new StringBuilder(text.Length)).Append(text, done, start - done).Append(PhoneMark);
                done = end;
                count++;
            }

            at = end;
        }

        return masked is null ? text : masked.Append(text, done, text.Length - done).ToString();
    }

    /// <summary>Masks numbers of at least so many digits.</summary>
    public static string LongNumbers(string text, int digits, ref long count)
    {
        StringBuilder? masked = null;
        var done = 0;
        for (var at = 0; (at = NextDigit(text, at)) >= 0;)
        {
            var end = at;
            while (end < text.Length && char.IsAsciiDigit(text[end]))
                end++;
            if (end - at >= digits)
            {
                (masked ??= new StringBuilder(text.Length)).Append(text, done, at - done).Append(NumberMark);
                done = end;
                count++;
            }

            at = end;
        }

        return masked is null ? text : masked.Append(text, done, text.Length - done).ToString();
    }

    private static int NextDigit(string text, int from)
    {
        var found = from < text.Length ? text.AsSpan(from).IndexOfAnyInRange('0', '9') : -1;
        return found < 0 ? -1 : from + found;
    }

    // The lengths of groups of digits with one or two separators between them; so many groups that it is no telephone number count as none.
    private static int EndOfGroups(string text, int at, Span<int> groups, out int count)
    {
        count = 0;
        for (var end = at; ;)
        {
            var start = end;
            while (end < text.Length && char.IsAsciiDigit(text[end]))
                end++;
            if (count < groups.Length)
                groups[count] = end - start;
            count++;
            var next = end;
            while (next < text.Length && next - end < 2 && text[next] is ' ' or '-' or '.' or '/' or '(' or ')' or '\u2011')
                next++;
            if (next == end || next == text.Length || !char.IsAsciiDigit(text[next]))
                return end;
            end = next;
        }
    }

    private static bool IsPhone(char first, ReadOnlySpan<int> groups)
    {
        var digits = 0;
        foreach (var group in groups)
            digits += group;
        return first switch
        {
            '+' => digits is >= 8 and <= 15,
            '(' => groups is [3, 3, 4],
            '0' => groups.Length >= 2 && groups[0] >= 2 && digits is >= 9 and <= 12,
            _ => groups is [3, 3, 4] or [1, 3, 3, 4],
        };
    }
}
