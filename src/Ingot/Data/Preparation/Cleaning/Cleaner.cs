using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using Ingot.Data.Preparation.Duplicates;

namespace Ingot.Data.Preparation.Cleaning;

/// <summary>
/// Applies the rules that need nothing but the document. It works in two parts, between which lines that stood anywhere before are taken
/// out in the order of the input. Immutable; what a thread needs to work with is in a <see cref="Desk"/>.
/// </summary>
internal sealed class Cleaner(RuleSettings settings, Contamination? contamination, int examples)
{
    private static readonly int Encoding = RuleTable.IndexOf("encoding");
    private static readonly int Missing = RuleTable.IndexOf("missing");
    private static readonly int BadRecords = RuleTable.IndexOf("badRecords");
    private static readonly int Language = RuleTable.IndexOf("language");
    private static readonly int DuplicateLines = RuleTable.IndexOf("duplicateLines");
    private static readonly int ContaminationRule = RuleTable.IndexOf("contamination");

    private readonly int[] _lineRules = [.. Active(settings, rule => rule.RemovesLine is not null)];
    private readonly double? _duplicateLines = settings["duplicateLines"];
    private readonly bool _nearDuplicates = settings["nearDuplicates"] is not null;

    /// <summary>Whether lines are compared with all lines before them.</summary>
    public bool ComparesLines => _duplicateLines is not null;

    /// <summary>What one thread works with.</summary>
    public sealed class Desk
    {
        public WordList Words { get; } = new();

        public Repetition Repetition { get; } = new();

        public MinHash MinHash { get; } = new();
    }

    /// <summary>Tallies, one for each rule.</summary>
    public static RuleTally[] NewTallies() => [.. RuleTable.All.Select(_ => new RuleTally())];

    /// <summary>Counts a record that could not be read.</summary>
    public void CountBadRecord(string place, string problem, RuleTally[] tallies) =>
        Remove(BadRecords, new Document("") { Place = place }, problem, tallies);

    /// <summary>Repairs the text and removes lines.</summary>
    public void Begin(Document document, RuleTally[] tallies)
    {
        if (document.IsMissing)
        {
            Remove(Missing, document, null, tallies);
            return;
        }

        if (document.WasRecoded)
        {
            tallies[Encoding].DocumentsChanged++;
            tallies[Encoding].Places++;
            AddExample(tallies[Encoding], () => new RuleExample(document.Place, RuleExample.Cut(document.Text), null, null));
        }

        for (var i = 0; i < RuleTable.All.Count; i++)
        {
            if (RuleTable.All[i].Repairs is not { } repair || settings[i] is not { } limit)
                continue;
            var before = document.Text;
            var count = 0L;
            document.Text = repair(before, limit, ref count);
            if (count == 0)
                continue;
            var tally = tallies[i];
            tally.DocumentsChanged++;
            tally.Places += count;
            AddExample(tally, () => RuleExample.Of(document.Place, before, document.Text));
        }

        if (_lineRules.Length > 0)
            RemoveLines(document, tallies, FindRule);
        if (_duplicateLines is { } shortest)
            document.LineHashes = HashLines(document.Text, (int)shortest);

        int FindRule(int number, ReadOnlySpan<char> line)
        {
            if (line.Trim().IsEmpty)
                return -1;
            foreach (var rule in _lineRules)
            {
                if (RuleTable.All[rule].RemovesLine!(line, settings[rule]!.Value))
                    return rule;
            }

            return -1;
        }
    }

    /// <summary>Removes lines that stood before.</summary>
    /// <param name="document">The document, with the hashes of its lines.</param>
    /// <param name="isRepeated">Whether each line stood before.</param>
    /// <param name="tallies">Where it is counted.</param>
    public void RemoveRepeatedLines(Document document, bool[] isRepeated, RuleTally[] tallies) =>
        RemoveLines(document, tallies, (number, _) => isRepeated[number] ? DuplicateLines : -1);

    /// <summary>Judges the document as it is now, and computes what duplicates are known by.</summary>
    public void Finish(Document document, Desk desk, RuleTally[] tallies)
    {
        var words = desk.Words;
        words.Read(document.Text);
        desk.Repetition.Read(words);
        document.Language = LanguageGuess.Of(words);
        for (var i = 0; i < RuleTable.All.Count; i++)
        {
            if (settings[i] is not { } limit)
                continue;
            var rule = RuleTable.All[i];
            if (i == Language && !settings.Languages.Contains(document.Language))
            {
                Remove(i, document, document.Language, tallies);
                return;
            }

            if (i == ContaminationRule && contamination?.Find(words) is { } shared)
            {
                Remove(i, document, $"\"{RuleExample.Cut(shared)}\"", tallies);
                return;
            }

            if (rule.Measures is null)
                continue;
            var value = rule.Measures(words, desk.Repetition);
            if (rule.RemovesBelow ? value < limit : value > limit)
            {
                var sign = rule.RemovesBelow ? '<' : '>';
                Remove(i, document, $"{Rule.Number(value)} {sign} {Rule.Number(limit)}", tallies);
                return;
            }
        }

        document.Hash = XxHash128.HashToUInt128(MemoryMarshal.AsBytes(document.Text.AsSpan()));
        if (_nearDuplicates)
            document.Signature = desk.MinHash.Sign(words);
        document.Size = new DocumentSize(
            System.Text.Encoding.UTF8.GetByteCount(document.Text), CountCharacters(document.Text), words.Count, 0);
    }

    /// <summary>Removes a document that repeats an earlier one.</summary>
    public void Remove(int rule, Document document, string? measured, RuleTally[] tallies)
    {
        document.IsRemoved = true;
        tallies[rule].DocumentsRemoved++;
        AddExample(tallies[rule], () => new RuleExample(document.Place, RuleExample.Cut(document.Text), null, measured));
    }

    private static IEnumerable<int> Active(RuleSettings settings, Func<Rule, bool> isMeant) =>
        Enumerable.Range(0, RuleTable.All.Count).Where(i => settings[i] is not null && isMeant(RuleTable.All[i]));

    private static long CountCharacters(string text)
    {
        var count = (long)text.Length;
        foreach (var c in text)
            count -= char.IsLowSurrogate(c) ? 1 : 0;
        return count;
    }

    private static ulong[] HashLines(string text, int shortest)
    {
        var hashes = new List<ulong>();
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan(range).Trim();
            // Zero stands for a line that is not compared.
            hashes.Add(line.Length < Math.Max(1, shortest) ? 0 : XxHash3.HashToUInt64(MemoryMarshal.AsBytes(line)) | 1);
        }

        return [.. hashes];
    }

    private void RemoveLines(Document document, RuleTally[] tallies, RuleOfLine find)
    {
        StringBuilder? left = null;
        var text = document.Text;
        var number = 0;
        var done = 0;
        var changed = new HashSet<int>();
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var (start, length) = range.GetOffsetAndLength(text.Length);
            var rule = find(number++, text.AsSpan(start, length));
            if (rule < 0)
                continue;
            left ??= new StringBuilder(text.Length);
            left.Append(text, done, start - done);
            done = Math.Min(start + length + 1, text.Length);
            tallies[rule].LinesRemoved++;
            changed.Add(rule);
            AddExample(tallies[rule], () => new RuleExample(document.Place, RuleExample.Cut(text.AsSpan(start, length)), null, null));
        }

        if (left is null)
            return;
        // An end without the lines that stood there.
        document.Text = left.Append(text, done, text.Length - done).ToString().TrimEnd('\n');
        foreach (var rule in changed)
            tallies[rule].DocumentsChanged++;
    }

    private void AddExample(RuleTally tally, Func<RuleExample> make)
    {
        if (tally.Examples.Count < examples)
            tally.Examples.Add(make());
    }

    private delegate int RuleOfLine(int number, ReadOnlySpan<char> line);
}
