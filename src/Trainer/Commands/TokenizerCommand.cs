using System.CommandLine;
using System.Globalization;
using System.Text;
using Ingot.Data;
using Ingot.Tokenizers;
using Ingot.Training;

namespace Ingot.Trainer.Commands;

/// <summary>`ingot tokenizer`: text to tokens and back, training a vocabulary, and what a tokenizer is made of.</summary>
internal static class TokenizerCommand
{
    public static Command Create()
    {
        var command = new Command("tokenizer", "Encode, decode, train and show tokenizers.")
        {
            CreateEncode(), CreateDecode(), CreateTrain(), CreateShow(),
        };
        HelpPage.Describe(command, """
            ingot tokenizer encode --tokenizer models/gpt2 --input book.txt --count
            ingot tokenizer train --input texts/ --vocabSize 8192 --output my-tokenizer
            ingot tokenizer show --tokenizer my-tokenizer
            """);
        return command;
    }

    private static Command CreateEncode()
    {
        Option<string> tokenizer = TokenizerOption();
        var input = new Option<string?>("--input")
        {
            Description = "A text file, a .gz, or a folder of them, read as training reads them; without it, what comes on standard input.",
            HelpName = "path",
        };
        var text = new Option<string?>("--text")
        {
            Description = "A text in the place of a file, taken exactly as it is.",
            HelpName = "text",
        };
        var count = new Option<bool>("--count") { Description = "Print how many tokens there are." };
        var ids = new Option<bool>("--ids") { Description = "Print the ids, separated by spaces. This is the default." };
        var tokens = new Option<bool>("--tokens")
        {
            Description = "Print a line for each token: id, token, and where it comes from in the text.",
        };
        var specialTokens = new Option<bool>("--addSpecialTokens")
        {
            Description = "Put the tokens around a text that the tokenizer's post-processor adds.",
        };
        var command = new Command("encode", "Print the tokens of a text.") { tokenizer, input, text, count, ids, tokens, specialTokens };
        command.SetAction(result => Encode(
            Tokenizer.Load(result.GetRequiredValue(tokenizer)),
            result.GetValue(input),
            result.GetValue(text),
            result.GetValue(count),
            result.GetValue(ids),
            result.GetValue(tokens),
            result.GetValue(specialTokens)));
        HelpPage.Describe(command, """
            ingot tokenizer encode --tokenizer models/gpt2 --input book.txt --count
            ingot tokenizer encode --tokenizer models/bert --text "Hello there" --tokens --addSpecialTokens
            echo "hello world" | ingot tokenizer encode --tokenizer models/gpt2 --ids
            """);
        return command;
    }

    private static int Encode(
        Tokenizer tokenizer, string? input, string? text, bool count, bool ids, bool tokens, bool addSpecialTokens)
    {
        if (input is not null && text is not null)
        {
            throw new TrainingOptionsException(["--input and --text are both given: take one"]);
        }

        if (new[] { count, ids, tokens }.Count(asked => asked) > 1)
        {
            throw new TrainingOptionsException(["--count, --ids and --tokens are three ways to print: take one"]);
        }

        if (input is not null && !tokens && !addSpecialTokens)
        {
            return EncodePieces(tokenizer, TextSource.Open(input), count);
        }

        // Places, and tokens around the text, need the text as a whole.
        text ??= input is null
            ? Console.In.ReadToEnd()
            : string.Concat(TextSource.Open(input).ReadUtf8().Select(piece => Encoding.UTF8.GetString(piece.Span)));
        TokenEncoding encoding = tokenizer.Tokenize(text, options: new EncodeOptions { AddSpecialTokens = addSpecialTokens });
        if (count)
        {
            Console.WriteLine(encoding.Ids.Length);
        }
        else if (tokens)
        {
            for (var i = 0; i < encoding.Ids.Length; i++)
            {
                var (start, end) = encoding.Offsets[i];
                string place = encoding.SequenceIds[i] is null ? "added" : $"{start}..{end}";
                string token = ConsoleView.Harmless(encoding.Tokens[i]).ReplaceLineEndings("\\n");
                Console.WriteLine($"{encoding.Ids[i],8}  {token,-20}  {place}");
            }
        }
        else
        {
            Console.WriteLine(string.Join(' ', encoding.Ids));
        }

        return ExitCodes.Success;
    }

    // A text of any size, piece by piece.
    private static int EncodePieces(Tokenizer tokenizer, TextSource source, bool count)
    {
        using var interruption = new Interruption();
        var total = 0L;
        var ids = new List<int>();
        using var output = new StreamWriter(Console.OpenStandardOutput());
        try
        {
            foreach (ReadOnlyMemory<byte> piece in source.ReadUtf8(interruption.Token))
            {
                ids.Clear();
                tokenizer.EncodeUtf8(piece.Span, ids);
                if (!count && ids.Count > 0)
                {
                    output.Write(total > 0 ? " " : "");
                    output.Write(string.Join(' ', ids));
                }

                total += ids.Count;
            }
        }
        catch (OperationCanceledException)
        {
            return interruption.ExitCode;
        }

        output.WriteLine(count ? total.ToString(CultureInfo.InvariantCulture) : "");
        return ExitCodes.Success;
    }

    private static Command CreateDecode()
    {
        Option<string> tokenizer = TokenizerOption();
        var input = new Option<string?>("--input")
        {
            Description = "A file of ids, separated by white space; without it and --ids, what comes on standard input.",
            HelpName = "file",
        };
        var ids = new Option<int[]>("--ids") { Description = "The ids.", HelpName = "ids", AllowMultipleArgumentsPerToken = true };
        var skip = new Option<bool>("--skipSpecialTokens") { Description = "Leave out special tokens." };
        var command = new Command("decode", "Print the text of some ids.") { tokenizer, input, ids, skip };
        command.SetAction(result =>
        {
            Tokenizer loaded = Tokenizer.Load(result.GetRequiredValue(tokenizer));
            string? path = result.GetValue(input);
            int[] numbers = result.GetValue(ids) is { Length: > 0 } given ? given
                : path is null ? ReadIds("standard input", Console.In.ReadToEnd())
                : ReadIds(path, File.ReadAllText(path));
            foreach (int id in numbers)
            {
                if (loaded.IdToToken(id) is null)
                {
                    throw new InvalidDataException($"The id {id} is not in the vocabulary, whose ids are 0 … {loaded.VocabularySize - 1}.");
                }
            }

            Console.WriteLine(loaded.Decode(numbers, result.GetValue(skip)));
            return ExitCodes.Success;
        });
        HelpPage.Describe(command, """
            ingot tokenizer decode --tokenizer models/gpt2 --ids 31373 995
            ingot tokenizer decode --tokenizer models/gpt2 --input ids.txt --skipSpecialTokens
            """);
        return command;
    }

    private static int[] ReadIds(string name, string text) =>
        [.. text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select((word, i) =>
            int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                ? id
                : throw new InvalidDataException($"{name}: word {i + 1} is \"{word}\", not an id: ids are whole numbers from 0 on."))];

    private static Command CreateTrain()
    {
        var input = new Option<string>("--input")
        {
            Description = "A text file, a .gz, or a folder of them.",
            HelpName = "path",
            Required = true,
        };
        var output = new Option<string>("--output") { Description = "Where the tokenizer's files go.", HelpName = "dir", Required = true };
        Option<string> type = new Option<string>("--type")
        {
            Description = "bpe: byte-level BPE, as GPT-2 has it. wordpiece: BERT's. unigram: SentencePiece's, as T5 has it. " +
                "word: whole words. char: the text's characters.",
            DefaultValueFactory = _ => "bpe",
        }.AcceptOnlyFromAmong("bpe", "wordpiece", "unigram", "word", "char");
        Option<int> vocabSize = NumberOption.Create(
            "vocabSize", "Tokens to reach, special tokens, bytes and characters included; char takes what the text has.", 8192);
        Option<int> minFrequency = NumberOption.Create(
            "minFrequency", "How often a pair must come to be merged (bpe, wordpiece), or a word to be a token (word).", 2);
        var specialTokens = new Option<string[]>("--specialTokens")
        {
            Description = "Tokens that stand for themselves. bpe: all of them, by default <|endoftext|>. wordpiece, unigram, word: " +
                "more than the type's own.",
            HelpName = "tokens",
            AllowMultipleArgumentsPerToken = true,
        };
        var lowercase = new Option<bool>("--lowercase")
        {
            Description = "wordpiece, unigram, word: text in lower case, for wordpiece without accents too.",
        };
        var byteFallback = new Option<bool>("--byteFallback")
        {
            Description = "unigram: 256 tokens for the bytes of characters that have no token, so that no text is unknown.",
        };
        Option<double> coverage = NumberOption.Create(
            "characterCoverage", "wordpiece, unigram: which part of the text's characters gets tokens; 0.9995 leaves out the rarest.", 1.0);
        var command = new Command("train", "Make a vocabulary from text.")
        {
            input, output, type, vocabSize, minFrequency, specialTokens, lowercase, byteFallback, coverage,
        };
        command.SetAction(result =>
        {
            var settings = new TrainSettings(
                result.GetRequiredValue(type),
                result.GetValue(vocabSize),
                result.GetValue(minFrequency),
                result.GetValue(specialTokens) ?? [],
                result.GetValue(lowercase),
                result.GetValue(byteFallback),
                result.GetValue(coverage));
            settings.Check();
            return Train(TextSource.Open(result.GetRequiredValue(input)), result.GetRequiredValue(output), settings);
        });
        HelpPage.Describe(command, """
            ingot tokenizer train --input texts/ --vocabSize 32000 --output my-tokenizer
            ingot tokenizer train --input texts/ --type unigram --vocabSize 16000 --byteFallback --output pieces
            ingot tokenizer train --input book.txt --type char --output characters
            """);
        return command;
    }

    private static int Train(TextSource source, string output, TrainSettings settings)
    {
        using var interruption = new Interruption();
        Tokenizer tokenizer;
        try
        {
            tokenizer = settings.Train(source.ReadUtf8(interruption.Token), new TrainingLine(settings.VocabSize), interruption.Token);
        }
        catch (OperationCanceledException)
        {
            TrainingLine.Clear();
            Console.Error.WriteLine("stopped: nothing was written");
            return interruption.ExitCode;
        }

        TrainingLine.Clear();

        tokenizer.Save(output);
        string size = Text.Bytes(source.Files.Sum(file => file.Length));
        Console.WriteLine($"{tokenizer.VocabularySize:#,0} tokens from {size} of text: {output}");
        if (settings.Type != "char" && tokenizer.VocabularySize < settings.VocabSize)
        {
            string what = settings.Type switch
            {
                "word" => $"words that come {settings.MinFrequency} times",
                "unigram" => "pieces worth a token",
                _ => $"pairs that come {settings.MinFrequency} times",
            };
            Console.WriteLine($"The text has no more {what}; more text gives a larger vocabulary.");
        }

        return ExitCodes.Success;
    }

    private static Command CreateShow()
    {
        Option<string> tokenizer = TokenizerOption();
        var command = new Command("show", "Say what a tokenizer is made of.") { tokenizer };
        command.SetAction(result =>
        {
            foreach ((string name, string value) in Tokenizer.Load(result.GetRequiredValue(tokenizer)).Describe())
            {
                Console.WriteLine($"{name,-15} {ConsoleView.Harmless(value)}");
            }

            return ExitCodes.Success;
        });
        HelpPage.Describe(command, "ingot tokenizer show --tokenizer models/gpt2");
        return command;
    }

    private static Option<string> TokenizerOption() => new("--tokenizer")
    {
        Description = "A folder with the tokenizer's files, for example a model's.",
        HelpName = "dir",
        Required = true,
    };

    private sealed record TrainSettings(
        string Type, int VocabSize, int MinFrequency, string[] SpecialTokens, bool Lowercase, bool ByteFallback, double CharacterCoverage)
    {
        private string[] BpeTokens => SpecialTokens.Length > 0 ? SpecialTokens : [ByteLevelBpeTokenizer.EndOfText];

        public void Check()
        {
            var problems = new List<string>();
            int smallest = Type == "bpe" ? 256 + BpeTokens.Length : 8;
            if (Type != "char" && VocabSize < smallest)
            {
                problems.Add(Type == "bpe"
                    ? $"--vocabSize is {VocabSize}, but 256 bytes and {BpeTokens.Length} special tokens take {smallest}"
                    : $"--vocabSize is {VocabSize}, but must be at least {smallest}");
            }

            if (MinFrequency < 1)
            {
                problems.Add($"--minFrequency is {MinFrequency}, but must be at least 1");
            }

            if (CharacterCoverage is not (> 0 and <= 1))
            {
                problems.Add($"--characterCoverage is {CharacterCoverage}, but must be more than 0 and at most 1");
            }

            Refuse("--lowercase", Lowercase, "wordpiece", "unigram", "word");
            Refuse("--byteFallback", ByteFallback, "unigram");
            Refuse("--characterCoverage", CharacterCoverage < 1, "wordpiece", "unigram");
            Refuse("--specialTokens", SpecialTokens.Length > 0, "bpe", "wordpiece", "unigram", "word");
            if (problems.Count > 0)
            {
                throw new TrainingOptionsException(problems);
            }

            void Refuse(string option, bool isGiven, params string[] types)
            {
                if (isGiven && !types.Contains(Type))
                {
                    problems.Add($"{option} is for --type {string.Join(", ", types)}, not for {Type}");
                }
            }
        }

        public Tokenizer Train(
            IEnumerable<ReadOnlyMemory<byte>> text, IProgress<TokenizerTrainingProgress> progress, CancellationToken cancellationToken) =>
            Type switch
            {
                "char" => CharacterTokenizer.Train(text, cancellationToken),
                "wordpiece" => WordPieceTrainer.Train(
                    text,
                    new WordPieceTrainerOptions
                    {
                        VocabularySize = VocabSize,
                        MinFrequency = MinFrequency,
                        Lowercase = Lowercase,
                        CharacterCoverage = CharacterCoverage,
                        SpecialTokens = SpecialTokens,
                    },
                    progress,
                    cancellationToken),
                "unigram" => UnigramTrainer.Train(
                    text,
                    new UnigramTrainerOptions
                    {
                        VocabularySize = VocabSize,
                        Lowercase = Lowercase,
                        ByteFallback = ByteFallback,
                        CharacterCoverage = CharacterCoverage,
                        SpecialTokens = SpecialTokens,
                    },
                    progress,
                    cancellationToken),
                "word" => WordLevelTrainer.Train(
                    text,
                    new WordLevelTrainerOptions
                    {
                        VocabularySize = VocabSize,
                        MinFrequency = MinFrequency,
                        Lowercase = Lowercase,
                        SpecialTokens = SpecialTokens,
                    },
                    progress,
                    cancellationToken),
                _ => BpeTrainer.Train(text, VocabSize, MinFrequency, BpeTokens, progress, cancellationToken),
            };
    }

    // A line on the console, where there is one, that says how far training is.
    private sealed class TrainingLine(int vocabSize) : IProgress<TokenizerTrainingProgress>
    {
        private readonly Lock _lock = new();
        private long _next;

        public void Report(TokenizerTrainingProgress value)
        {
            lock (_lock)
            {
                if (Console.IsErrorRedirected || Environment.TickCount64 < _next)
                {
                    return;
                }

                _next = Environment.TickCount64 + 250;
                Console.Error.Write(value switch
                {
                    { DistinctWords: 0 } => $"\r{value.Step}: {Text.Bytes(value.TextBytes)}\u001b[K",
                    { VocabularySize: 0 } => $"\r{value.Step}: {value.DistinctWords:#,0} words\u001b[K",
                    { Step: "pruning" } => $"\r{value.Step}: {value.VocabularySize:#,0} pieces down to {vocabSize:#,0}\u001b[K",
                    _ => $"\r{value.Step}: {value.VocabularySize:#,0} of {vocabSize:#,0} tokens from " +
                        $"{value.DistinctWords:#,0} words\u001b[K",
                });
            }
        }

        public static void Clear()
        {
            if (!Console.IsErrorRedirected)
            {
                Console.Error.Write("\r\u001b[K");
            }
        }
    }
}
