using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Unicode;

namespace Ingot.Tokenizers.PreTokenizers;

/// <summary>What becomes of the matches at which a text is cut.</summary>
internal enum SplitBehavior
{
    /// <summary>They are left out.</summary>
    Removed,

    /// <summary>Each is a word.</summary>
    Isolated,

    /// <summary>Each goes with what stands before it.</summary>
    MergedWithPrevious,

    /// <summary>Each goes with what stands after it.</summary>
    MergedWithNext,

    /// <summary>Matches that touch each other are one word.</summary>
    Contiguous,
}

/// <summary>Cutting at matches.</summary>
internal static class SplitBehaviors
{
    /// <summary>Reads a member with a behavior.</summary>
    public static SplitBehavior Read(JsonPart json, string name, SplitBehavior? otherwise = null)
    {
        var part = otherwise is null ? json.Required(name) : json.Optional(name);
        return part is null ? otherwise!.Value
            : Enum.GetNames<SplitBehavior>().Contains(part.AsText()) ? Enum.Parse<SplitBehavior>(part.AsText())
            : throw part.Error($"\"{part.AsText()}\" is no behavior; there are {string.Join(", ", Enum.GetNames<SplitBehavior>())}");
    }

    /// <summary>Cuts a text at every character that is a delimiter.</summary>
    public static void CutAt(this AlignedText text, Func<int, bool> isDelimiter, SplitBehavior behavior, List<AlignedText> words)
    {
        var matches = new List<(int, int)>();
        for (var i = 0; i < text.Length; i++)
        {
            if (isDelimiter(text[i]))
            {
                matches.Add((i, i + 1));
            }
        }

        text.CutAt(matches, invert: false, behavior, words);
    }

    /// <summary>Cuts a text at matches.</summary>
    /// <param name="text">The text.</param>
    /// <param name="matches">From left to right.</param>
    /// <param name="invert">Take what lies between the matches for the matches.</param>
    /// <param name="behavior">What becomes of them.</param>
    /// <param name="words">Where the words go; empty ones do not.</param>
    public static void CutAt(
        this AlignedText text, List<(int Start, int End)> matches, bool invert, SplitBehavior behavior, List<AlignedText> words)
    {
        var parts = new List<(int Start, int End, bool IsMatch)>(2 * matches.Count + 1);
        var at = 0;
        foreach (var (start, end) in matches)
        {
            if (at < start)
            {
                parts.Add((at, start, invert));
            }

            parts.Add((start, end, !invert));
            at = end;
        }

        if (at < text.Length)
        {
            parts.Add((at, text.Length, invert));
        }

        var first = words.Count;
        switch (behavior)
        {
            case SplitBehavior.MergedWithNext:
                parts.Reverse();
                Merge((isMatch, wasMatch) => isMatch && !wasMatch);
                words.Reverse(first, words.Count - first);
                break;
            case SplitBehavior.MergedWithPrevious:
                Merge((isMatch, wasMatch) => isMatch && !wasMatch);
                break;
            case SplitBehavior.Contiguous:
                Merge((isMatch, wasMatch) => isMatch == wasMatch);
                break;
            default:
                foreach (var (start, end, isMatch) in parts)
                {
                    if (!isMatch || behavior == SplitBehavior.Isolated)
                    {
                        Add(start, end);
                    }
                }

                break;
        }

        void Merge(Func<bool, bool, bool> joins)
        {
            (int Start, int End)? word = null;
            var wasMatch = false;
            foreach (var (start, end, isMatch) in parts)
            {
                if (word is { } open && joins(isMatch, wasMatch))
                {
                    word = (Math.Min(open.Start, start), Math.Max(open.End, end));
                }
                else
                {
                    Add(word?.Start ?? 0, word?.End ?? 0);
                    word = (start, end);
                }

                wasMatch = isMatch;
            }

            Add(word?.Start ?? 0, word?.End ?? 0);
        }

        void Add(int start, int end)
        {
            if (start < end)
            {
                words.Add(text.Slice(start, end));
            }
        }
    }
}
