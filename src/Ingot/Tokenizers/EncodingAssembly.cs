using Ingot.Tokenizers.PostProcessors;

namespace Ingot.Tokenizers;

/// <summary>From the tokens of a text to an encoding: cut what is too long, add special tokens, fill up what is too short.</summary>
internal static class EncodingAssembly
{
    /// <summary>Puts one or two texts together; <paramref name="encoding"/> makes the encoding of the tokens.</summary>
    /// <exception cref="ArgumentException">The texts cannot be cut to the length asked for.</exception>
    public static TokenEncoding Assemble(
        EncodedToken[] first,
        EncodedToken[]? second,
        PostProcessor? processor,
        EncodeOptions options,
        Func<EncodedToken[], TokenEncoding> encoding)
    {
        List<EncodedToken[]> firsts = [first];
        List<EncodedToken[]?> seconds = [second];
        if (options.Truncation is { } truncation)
        {
            var room = truncation.MaxLength - (options.AddSpecialTokens ? processor?.AddedTokens(second is not null) ?? 0 : 0);
            var (firstRoom, secondRoom) = Divide(first.Length, second?.Length ?? 0, room, second is not null, truncation);
            firsts = Cut(first, firstRoom, truncation);
            seconds = second is null ? [null] : [.. Cut(second, secondRoom, truncation)];
        }

        // The first part of both is the encoding; whatever else there is overflows.
        var rest = from i in Enumerable.Range(0, firsts.Count)
                   from j in Enumerable.Range(0, seconds.Count)
                   where i + j > 0
                   orderby i == 0, i, j
                   select Finish(firsts[i], seconds[j]);
        var result = Finish(firsts[0], seconds[0]);
        result.Overflowing = [.. rest];
        return result;

        TokenEncoding Finish(EncodedToken[] a, EncodedToken[]? b)
        {
            List<EncodedToken[]> parts = b is null ? [a] : [a, b];
            return encoding([.. (processor?.Process(parts, options.AddSpecialTokens) ?? parts).SelectMany(part => part)]);
        }
    }

    /// <summary>Fills up encodings, those that overflow too.</summary>
    /// <exception cref="ArgumentException">There is no token to fill up with.</exception>
    public static TokenEncoding[] Pad(TokenEncoding[] encodings, PaddingOptions options, Tokenizer tokenizer)
    {
        var padId = options.PadId ?? tokenizer.PadId
            ?? throw new ArgumentException(
                "The tokenizer has no padding token: give PadId, or give the tokenizer one with WithRoles.", nameof(options));
        var token = tokenizer.IdToToken(padId)
            ?? throw new ArgumentException($"The padding token's id {padId} is not in the vocabulary.", nameof(options));
        if (options.Length < 0 || options.MultipleOf < 1)
        {
            throw new ArgumentException("Length must be 0 or more, and MultipleOf 1 or more.", nameof(options));
        }

        var length = options.Length ?? encodings.Select(encoding => encoding.Ids.Length).DefaultIfEmpty().Max();
        if (options.MultipleOf is { } multiple && length % multiple is > 0 and var over)
        {
            length = checked(length + multiple - over);
        }

        return [.. encodings.Select(Fill)];

        TokenEncoding Fill(TokenEncoding encoding)
        {
            var missing = length - encoding.Ids.Length;
            if (missing <= 0 && encoding.Overflowing.Count == 0)
            {
                return encoding;
            }

            missing = Math.Max(0, missing);
            var result = new TokenEncoding(encoding.Ids.Length + missing) { Overflowing = [.. encoding.Overflowing.Select(Fill)] };
            var at = options.Side == TextSide.Left ? missing : 0;
            encoding.Ids.CopyTo(result.Ids, at);
            encoding.TypeIds.CopyTo(result.TypeIds, at);
            encoding.AttentionMask.CopyTo(result.AttentionMask, at);
            encoding.SpecialTokensMask.CopyTo(result.SpecialTokensMask, at);
            encoding.Offsets.CopyTo(result.Offsets, at);
            encoding.WordIds.CopyTo(result.WordIds, at);
            encoding.SequenceIds.CopyTo(result.SequenceIds, at);
            encoding.Tokens.CopyTo(result.Tokens, at);
            var padding = options.Side == TextSide.Left ? 0 : encoding.Ids.Length;
            result.Ids.AsSpan(padding, missing).Fill(padId);
            result.TypeIds.AsSpan(padding, missing).Fill(options.PadTypeId);
            result.SpecialTokensMask.AsSpan(padding, missing).Fill(1);
            result.Tokens.AsSpan(padding, missing).Fill(token);
            return result;
        }
    }

    // How many tokens each text may keep.
    private static (int First, int Second) Divide(int first, int second, int room, bool isPair, TruncationOptions options)
    {
        if (room < 0 || options.Stride < 0)
        {
            throw new ArgumentException(
                $"A length of {options.MaxLength} has no room for the special tokens, or the stride {options.Stride} is negative.",
                nameof(options));
        }

        if (first + second <= room)
        {
            return (first, second);
        }

        switch (options.Strategy)
        {
            case TruncationStrategy.LongestFirst when isPair:
                var (shorter, longer) = (Math.Min(first, second), Math.Max(first, second));
                longer = shorter > room ? shorter : Math.Max(shorter, room - shorter);
                if (shorter + longer > room)
                {
                    shorter = room / 2;
                    longer = shorter + (room % 2);
                }

                return first <= second ? (shorter, longer) : (longer, shorter);
            case TruncationStrategy.LongestFirst:
                return (room, 0);
            case TruncationStrategy.OnlyFirst when second < room || (second == room && first == 0):
                return (room - second, second);
            case TruncationStrategy.OnlySecond when isPair && first < room:
                return (first, room - first);
            default:
                throw new ArgumentException(
                    $"{options.Strategy}: {first} and {second} tokens cannot be cut to {room} in that text alone; take LongestFirst.",
                    nameof(options));
        }
    }

    // The part that is kept, and then the others, which overlap by the stride.
    private static List<EncodedToken[]> Cut(EncodedToken[] tokens, int length, TruncationOptions options)
    {
        if (length >= tokens.Length)
        {
            return [tokens];
        }

        if (length == 0)
        {
            return [[], tokens];
        }

        if (options.Stride >= length)
        {
            throw new ArgumentException(
                $"The stride {options.Stride} must be less than the {length} tokens that a text has in an encoding of {options.MaxLength}.",
                nameof(options));
        }

        var parts = new List<EncodedToken[]>();
        for (var at = 0; ; at += length - options.Stride)
        {
            var size = Math.Min(length, tokens.Length - at);
            parts.Add(options.Side == TextSide.Right ? tokens[at..(at + size)] : tokens[(tokens.Length - at - size)..(tokens.Length - at)]);
            if (at + size == tokens.Length)
            {
                return parts;
            }
        }
    }
}
