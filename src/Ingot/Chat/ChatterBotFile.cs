using System.Text;
using Ingot.Data;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Ingot.Chat;

/// <summary>
/// Reads the YAML files of ChatterBot's corpus: under <c>conversations</c> lists of sentences, which user and assistant say in turn. Other
/// keys are passed over.
/// </summary>
internal static class ChatterBotFile
{
    private const int LargestFile = 64 << 20; // The parser looks ahead without a limit of its own.
    private const int DeepestNesting = 100;

    /// <summary>Reads the conversations of a file.</summary>
    /// <exception cref="InvalidDataException">The file is no YAML or has another form.</exception>
    public static IEnumerable<ConversationExample> Read(string file)
    {
        var parser = new Reader(file);
        const string Wanted = "the key 'conversations'";
        parser.Expect<StreamStart>(Wanted);
        parser.Expect<DocumentStart>(Wanted);
        parser.Expect<MappingStart>(Wanted);
        bool found = false;
        while (!parser.Skip<MappingEnd>())
        {
            string key = parser.Expect<Scalar>("a key").Value;
            if (key != "conversations")
            {
                parser.SkipValue();
                continue;
            }

            found = true;
            parser.Expect<SequenceStart>("a list of conversations");
            while (!parser.Skip<SequenceEnd>())
            {
                long line = parser.Line;
                yield return new ConversationExample($"{file}:{line}", ReadConversation(parser));
            }
        }

        if (!found)
        {
            throw new InvalidDataException($"{file}: the key 'conversations' is missing");
        }
    }

    private static List<ChatMessage> ReadConversation(Reader parser)
    {
        // A sentence by itself is a conversation in which nobody answers.
        if (parser.Current is Scalar alone)
        {
            parser.Expect<Scalar>("a sentence");
            return [new ChatMessage(ChatMessage.User, alone.Value)];
        }

        parser.Expect<SequenceStart>("a conversation, which is a list of sentences,");
        var messages = new List<ChatMessage>();
        while (!parser.Skip<SequenceEnd>())
        {
            string role = messages.Count % 2 == 0 ? ChatMessage.User : ChatMessage.Assistant;
            messages.Add(new ChatMessage(role, parser.Expect<Scalar>("a sentence").Value));
        }

        return messages;
    }

    private sealed class Reader
    {
        private readonly string _file;
        private readonly Parser _parser;

        public Reader(string file)
        {
            _file = file;
            _parser = new Parser(new StringReader(ReadText(file)));
            MoveNext();
        }

        public ParsingEvent Current => _parser.Current!;

        public long Line => _parser.Current!.Start.Line;

        public T Expect<T>(string what)
            where T : ParsingEvent
        {
            if (_parser.Current is not T found)
            {
                throw Error(_parser.Current is AnchorAlias ? "aliases (*) are not read" : $"{what} is expected");
            }

            MoveNext();
            return found;
        }

        public bool Skip<T>()
            where T : ParsingEvent
        {
            bool found = _parser.Current is T;
            if (found)
            {
                MoveNext();
            }

            return found;
        }

        public void SkipValue()
        {
            int depth = 0;
            do
            {
                depth += _parser.Current!.NestingIncrease;
                if (depth > DeepestNesting)
                {
                    throw Error($"nested more than {DeepestNesting} deep");
                }

                MoveNext();
            }
            while (depth > 0);
        }

        private void MoveNext()
        {
            try
            {
                if (!_parser.MoveNext() && _parser.Current is null)
                {
                    throw new InvalidDataException($"{_file}: the file is empty");
                }
            }
            catch (YamlException e)
            {
                throw new InvalidDataException($"{_file}:{e.Start.Line}: not valid YAML: {e.Message}", e);
            }
        }

        private InvalidDataException Error(string problem) => new($"{_file}:{Line}: {problem}");

        private static string ReadText(string file)
        {
            using var reader = new TextFileReader(file);
            byte[] text = new byte[TextFileReader.BlockSize];
            int count = 0;
            while (reader.Append(ref text, ref count))
            {
                if (count > LargestFile)
                {
                    throw new InvalidDataException($"{file}: more than {LargestFile >> 20} MB of YAML: use JSONL for so much");
                }
            }

            return Encoding.UTF8.GetString(text, 0, count);
        }
    }
}
