using System.Runtime.InteropServices;

namespace Ingot.Generation;

/// <summary>
/// Writes sequences on by drawing a token of each at a time. There are more sequences than rows, if need be: whenever one ends, the next
/// takes its row, so that rows are not idle while a long text is finished.
/// </summary>
internal sealed class SequenceWriter(Decoder decoder, GenerationOptions options, IReadOnlyList<int> ends)
{
    private readonly TokenChooser _chooser = new(options, ends);

    /// <summary>Rows from 0 on, and the sequence in each; null while a row waits for its next one.</summary>
    private readonly List<Sequence?> _rows = [];

    /// <summary>The prompt that was read last, whose keys and values are in the decoder's row for prompts still.</summary>
    private IReadOnlyList<int>? _prompt;

    /// <summary>
    /// Tokens as they are written, each with its sequence, whose <see cref="Sequence.Ending"/> may be set by it. Whoever reads them may
    /// end a sequence with <see cref="Sequence.End"/> before going on. An end-of-text token is not given out; its sequence is, with -1.
    /// </summary>
    public IEnumerable<(Sequence Sequence, int Token)> Write(IReadOnlyList<Sequence> sequences, int rows)
    {
        rows = Math.Min(rows, sequences.Count);
        decoder.Reserve(rows, sequences.Max(s => (int)Math.Min(decoder.Context, (long)s.Prompt.Count + s.MaxNewTokens)),
            sequences.Max(s => s.Source?.Count ?? 0));
        (_prompt, var next) = (null, 0);
        _rows.Clear();
        while (true)
        {
            while (next < sequences.Count && FreeRow(rows) is var row and >= 0)
                Admit(sequences[next++], row);
            if (_rows.Count == 0)
                yield break;

            foreach (var (row, token) in Choose())
            {
                var sequence = _rows[row]!;
                var end = ends.Contains(token);
                if (end)
                    sequence.End(FinishReason.Stop);
                else
                    sequence.Tokens.Add(token);
                if (sequence.Written == sequence.MaxNewTokens)
                    sequence.End(FinishReason.Length);
                yield return (sequence, end ? -1 : token);
            }

            FreeRows(waiting: sequences.Count - next);
            Step();
        }
    }

    /// <summary>A row without a sequence; -1 if there is none.</summary>
    private int FreeRow(int rows)
    {
        var free = _rows.IndexOf(null);
        if (free >= 0 || _rows.Count == rows)
            return free;
        _rows.Add(null);
        return _rows.Count - 1;
    }

    private void Admit(Sequence sequence, int row)
    {
        if (!ReferenceEquals(sequence.Prompt, _prompt))
        {
            if (sequence.Source is { } source)
                decoder.ReadSource(source);
            sequence.Held = options.KeepsRead ? decoder.CountHeld(sequence.Prompt) : 0;
            decoder.ReadPrompt(sequence.Prompt, sequence.Held);
        }

        _prompt = sequence.Prompt;
        decoder.TakePrompt(row, sequence.Prompt.Count);
        if (decoder.PromptRow == row)
            _prompt = null; // The only row: what is written next takes its place.
        _rows[row] = sequence;
    }

    /// <summary>
    /// Takes sequences that have ended out of their rows. So many of the rows are left for others; into the rest the last rows move, so
    /// that none is computed in vain.
    /// </summary>
    private void FreeRows(int waiting)
    {
        int[] ended = [.. Enumerable.Range(0, _rows.Count).Where(row => _rows[row]!.Ending is not null)];
        foreach (var row in ended.Take(waiting))
            _rows[row] = null;
        foreach (var row in ended.Skip(waiting).Reverse())
        {
            var last = _rows.Count - 1;
            if (row != last)
            {
                var moved = _rows[row] = _rows[last];
                decoder.MoveRow(last, row, moved!.Tokens.Count - moved.Start - 1);
            }

            _rows.RemoveAt(last);
        }
    }

    /// <summary>The next token of every row, row by row.</summary>
    private IEnumerable<(int Row, int Token)> Choose()
    {
        var random = new (long, long)[_rows.Count];
        for (var row = 0; row < random.Length; row++)
            random[row] = (_rows[row]!.Seed, _rows[row]!.Written);
        if (_chooser.WorksOnHost)
        {
            var logits = new float[decoder.Vocabulary];
            for (var row = 0; row < random.Length; row++)
            {
                decoder.ReadLogits(row, logits);
                _chooser.Process(logits, _rows[row]!);
                decoder.WriteLogits(row, logits);
            }
        }

        var tokens = new int[_rows.Count];
        decoder.Draw(_chooser.DrawSettings, random, tokens);
        return tokens.Select((token, row) => (row, token));
    }

    /// <summary>Reads what was written last.</summary>
    private void Step()
    {
        var tokens = new int[_rows.Count];
        var positions = new int[_rows.Count];
        var full = new List<(int Row, Sequence Sequence)>();
        for (var row = 0; row < tokens.Length; row++)
        {
            // A row that waits for its next sequence computes something that nobody reads.
            if (_rows[row] is not { } sequence)
                continue;
            if (sequence.Tokens.Count - sequence.Start > decoder.Context)
                full.Add((row, sequence));
            else
                (tokens[row], positions[row]) = (sequence.Tokens[^1], sequence.Tokens.Count - sequence.Start - 1);
        }

        if (_rows.Count(sequence => sequence is not null) > full.Count)
            decoder.Step(tokens, positions);
        foreach (var (row, sequence) in full)
            Slide(row, sequence);
    }

    /// <summary>The context is full: reads its second half as a prompt, and goes on from there.</summary>
    private void Slide(int row, Sequence sequence)
    {
        sequence.Start = sequence.Tokens.Count - Math.Max(1, decoder.Context / 2);
        var context = CollectionsMarshal.AsSpan(sequence.Tokens)[sequence.Start..].ToArray();
        decoder.ReadPrompt(context);
        decoder.TakePrompt(row, context.Length);
        _prompt = null;
    }
}
